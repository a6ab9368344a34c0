# With --snapshot, the device in use may be discarded and written again in mid-merge: the snapshot's data stays.
# tier: ci
make_origin 16M
make_pool --data 64M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
exec 7<"$mapper/thin1"
in_mid_merge by_name merge thin1 --snapshot --rate-limit 3M --checkpoint-interval 0.2
# Passed down to the data device, as far as the pool thinks that nobody else has the block.
discard "$mapper/thin1" 0 16M
write "$mapper/thin1" 2 0 16M
discard "$mapper/thin1" 4M 8M
expect_end 0
expect_merged
expect_settled
expect_ids 1
