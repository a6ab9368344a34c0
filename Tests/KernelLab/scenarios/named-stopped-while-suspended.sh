# Stopped (SIGSTOP) between suspend and resume, under a running writer: after 10 s a child ends the tool and resumes.
# tier: ci
make_origin 8M
make_pool --data 32M
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember_origin
is_active() { [[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]]; }
is_stopped() { grep -q '^State:.*T (stopped)' "/proc/$running/status"; }
labtool scatter "$mapper/thin1" 9 9 0 4096 >written &
writer=$!
for change in create_snap resume; do
  launch='exec' LD_PRELOAD=/lab/labkill.so LAB_KILL=stop:$change by_name merge thin1 --snapshot >background 2>&1 &
  running=$!
  wait_until is_stopped
  ! is_active || fail 'it is not suspended'
  read -r stopped_at _ </proc/uptime
  wait_until is_active
  read -r resumed_at _ </proc/uptime
  ((${resumed_at%.*} - ${stopped_at%.*} < 15)) || fail 'it was suspended for too long'
  expect_end 137
  expect_says "labkill: stop before $change"
done
expect_untouched
kill -TERM "$writer"
wait "$writer"
remember "$mapper/thin1"
expect_exit 0 by_name merge thin1 --snapshot
expect_merged
expect_settled
expect_ids 1
