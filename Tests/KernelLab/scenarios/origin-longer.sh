# An origin longer than the thin device: nothing behind the thin device's end is touched.
# tier: full
make_origin 32M
make_pool
make_thin 1 20M
scatter "$mapper/thin1" 1 80
write "$mapper/thin1" 2 19M 1M
remember "$mapper/thin1"
deactivate thin1
reserve
expect_exit 0 by_path merge 1 --thin-size 20M
expect_merged
