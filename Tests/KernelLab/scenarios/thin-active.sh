# Given by paths, a pool is found to be active and its thin device in use: the origin is not written, status 5.
# tier: full
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 30
remember "$mapper/thin1"
remember_origin
reserve
exec 7<"$mapper/thin1"
expect_exit 5 by_path merge 1
expect_says 'the thin device is in use'
exec 7<&-
expect_untouched
deactivate thin1
expect_exit 0 by_path merge 1
expect_merged
