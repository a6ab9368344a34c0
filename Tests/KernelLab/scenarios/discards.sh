# After a discard the origin shows through again, and stays as it was in the merge.
# tier: ci
make_origin 16M
make_pool
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
# Whole blocks go; of a part of a block nothing does.
discard "$mapper/thin1" 1M 2M
discard "$mapper/thin1" $((5 * 1048576 + 4096)) 300k
discard "$mapper/thin1" 8M 4k
scatter "$mapper/thin1" 2 10
remember "$mapper/thin1"
deactivate thin1
reserve
expect_exit 0 by_path merge 1
expect_merged
