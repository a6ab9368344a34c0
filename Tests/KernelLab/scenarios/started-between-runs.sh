# A guest is started after a merge was stopped, and writes: resume merges what was begun, and says that there is more.
# tier: ci
make_origin 16M
make_pool --data 64M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
in_mid_merge by_name merge thin1 --rate-limit 3M --checkpoint-interval 0.2
stop_it TERM
((status == 3)) || fail "exit status $status"
expect_snapshot_kept
exec 7<>"$mapper/thin1"
write "$mapper/thin1" 2 4M 6M
discard "$mapper/thin1" 1M 2M
expect_exit 0 resume "$(the_journal)" --verify
expect_says 'Keep the thin device: it was written to'
expect_merged
expect_settled
expect_ids 1
exec 7<&-
# The next merge merges later writes.
remember "$mapper/thin1"
expect_exit 4 by_name merge thin1
expect_says 'was written to after the merge'
expect_exit 0 by_name merge thin1 --again
expect_merged
expect_says 'You can remove the thin device'
