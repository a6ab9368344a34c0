# With --inactive the pool must not be active: status 5; taken down, its live mappings are merged.
# tier: ci
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 30
remember "$mapper/thin1"
remember_origin
deactivate thin1
expect_exit 5 by_path merge 1 --inactive
expect_says 'cannot open the metadata device.*the device is in use'
expect_untouched
dm remove --retry pool
expect_exit 0 by_path merge 1 --inactive
expect_merged
