# Killed between suspend and resume of the thin device, under a running writer: it is resumed all the same.
make_origin 8M
make_pool --data 32M
make_thin 1 8M
scatter "$mapper/thin1" 1 40
is_active() { [[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]]; }
labtool scatter "$mapper/thin1" 9 9 0 4096 >written &
writer=$!
# Suspend, create_snap, resume.
for moment in after:1 before:2 after:2 before:3; do
  begin=$SECONDS
  LD_PRELOAD=/lab/labkill.so LAB_KILL=$moment expect_exit 137 by_name merge thin1 --snapshot
  wait_until is_active
  echo "active again after $((SECONDS - begin)) s"
  ((SECONDS - begin <= 15)) || fail 'it was suspended for long'
done
kill -TERM "$writer"
wait "$writer"
remember "$mapper/thin1"
expect_exit 0 by_name merge thin1 --snapshot
expect_merged
expect_settled
expect_ids 1
