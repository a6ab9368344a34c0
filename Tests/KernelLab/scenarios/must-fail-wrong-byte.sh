# One wrong bit in the merged origin is noticed by the comparison, and fails a scenario.
# tier: ci
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 20
remember "$mapper/thin1"
deactivate thin1
reserve
expect_exit 0 by_path merge 1
expect_merged
labtool flip "$origin" 5000007
(expect_exit 1 by_path verify 1) || echo 'that place is not mapped'
expect_merged
