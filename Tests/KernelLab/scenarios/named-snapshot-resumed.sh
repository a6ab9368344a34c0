# A merge by --snapshot that was killed resumes with the same snapshot, and deletes it at the end.
# tier: full
make_origin 16M
make_pool --data 64M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
exec 7<"$mapper/thin1"
in_mid_merge by_name merge thin1 --snapshot --rate-limit 3M --checkpoint-interval 0.2
stop_it KILL
# Not in the snapshot.
write "$mapper/thin1" 2 1M 8M
in_mid_merge by_name merge thin1 --snapshot --rate-limit 3M --checkpoint-interval 0.2
stop_it TERM
((status == 3)) || fail "exit status $status"
expect_not_held
expect_ids 1 own
expect_exit 0 by_name merge thin1 --snapshot
expect_merged
expect_settled
expect_ids 1
exec 7<&-
