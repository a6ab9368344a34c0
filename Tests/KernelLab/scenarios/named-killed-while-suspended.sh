# Killed between suspend and resume of the thin device, under a running writer: a child of the tool resumes it.
# tier: ci
make_origin 8M
make_pool --data 32M
make_thin 1 8M
scatter "$mapper/thin1" 1 40
is_active() { [[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]]; }
labtool scatter "$mapper/thin1" 9 9 0 4096 >written &
writer=$!
for moment in 'after suspend' 'before create_snap' 'after create_snap' 'before resume'; do
  LD_PRELOAD=/lab/labkill.so LAB_KILL=${moment/ /:} expect_exit 137 by_name merge thin1 --snapshot
  expect_says "labkill: $moment"
  # The killed program cannot have resumed it, and nobody else is there.
  for _ in {1..100}; do
    ! is_active || break
    sleep 0.1
  done
  is_active || fail 'nobody resumed it'
done
kill -TERM "$writer"
wait "$writer"
remember "$mapper/thin1"
expect_exit 0 by_name merge thin1 --snapshot
expect_merged
expect_settled
expect_ids 1
