# The metadata snapshot is released when the merge is stopped by SIGINT, SIGTERM or SIGHUP, refused, or fails.
# tier: full
# time limit: 180
make_origin 16M
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 14M
remember "$mapper/thin1"
deactivate thin1
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 16M)
expect_exit 2 by_name merge --pool pool --dev-id 99 --origin "$origin"
expect_settled
for signal in INT TERM HUP; do
  in_mid_merge by_name merge "${by[@]}" --rate-limit 2M --checkpoint-interval 0.2
  expect_held
  stop_it "$signal"
  ((status == 3)) || fail "SIG$signal: exit status $status"
  expect_snapshot_kept
done
expect_not_merged_yet
expect_exit 0 resume "$(the_journal)"
expect_merged
expect_settled
