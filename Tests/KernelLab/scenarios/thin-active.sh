# While a thin device on the origin is active, its origin is not written: status 5.
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 30
remember "$mapper/thin1"
remember_origin
reserve
expect_exit 5 by_path merge 1
expect_untouched
dm suspend thin1
expect_exit 5 by_path merge 1
dm resume thin1
deactivate thin1
expect_exit 0 by_path merge 1
expect_merged
