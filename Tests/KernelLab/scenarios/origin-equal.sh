# An origin as long as the thin device reads as the thin device did.
# tier: ci
make_origin 32M
make_pool
make_thin 1 32M
scatter "$mapper/thin1" 1 60
write "$mapper/thin1" 2 8M 1M
remember "$mapper/thin1"
deactivate thin1
reserve
expect_not_merged_yet
expect_exit 0 by_path plan 1
expect_exit 0 by_path merge 1
expect_merged
expect_exit 0 by_path verify 1
expect_exit 0 thin-merge verify --journal "$(the_journal)"
