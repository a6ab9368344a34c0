# An origin shorter than the thin device: refused with status 2, or merged up to its end with --past-end clip.
# tier: full
make_origin 16M
make_pool --data 32M
make_thin 1 32M
scatter "$mapper/thin1" 1 80
write "$mapper/thin1" 2 15M 2M
remember "$mapper/thin1"
remember_origin
deactivate thin1
reserve
expect_exit 2 by_path merge 1 --thin-size 32M
expect_says past
expect_untouched
expect_exit 0 by_path merge 1 --thin-size 32M --past-end clip
expect_merged
