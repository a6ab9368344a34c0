# The thin device is deleted after its merge was stopped, or in mid-merge: its snapshot is merged to the end.
# tier: full
make_origin 16M
make_pool --data 48M
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 16M)
for moment in between in-the-middle; do
  make_thin 1 16M
  write "$mapper/thin1" "${#moment}" 0 12M
  remember "$mapper/thin1"
  deactivate thin1
  in_mid_merge by_name merge "${by[@]}" --rate-limit 3M --checkpoint-interval 0.2
  if [[ $moment == between ]]; then
    stop_it INT
    ((status == 3)) || fail "exit status $status"
    expect_snapshot_kept
    pool_message 'delete 1'
    # Its blocks are used again, if anything lets the pool.
    make_thin 2 16M -
    write "$mapper/thin2" 9 0 16M
    deactivate thin2
    expect_exit 0 resume "$(the_journal)" --other-users-ok
    pool_message 'delete 2'
  else
    pool_message 'delete 1'
    expect_end 0
  fi
  expect_says 'The thin device no longer exists'
  expect_merged
  expect_settled
  expect_ids
  forget_merges
done
