# With skip_block_zeroing the stale data that the thin device shows behind a short origin is not merged.
# tier: ci
make_origin $((6 * 1048576 + 20480))
make_pool --block 128k skip_block_zeroing
make_thin 1 12M
scatter "$mapper/thin1" 1 30
# In the block that crosses the origin's end.
write "$mapper/thin1" 2 $((6 * 1048576 + 8192)) 4096
remember "$mapper/thin1"
deactivate thin1
reserve
expect_exit 2 by_path merge 1 --thin-size 12M
expect_says past
expect_exit 0 by_path merge 1 --thin-size 12M --past-end clip
expect_merged
