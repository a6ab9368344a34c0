# Somebody else resumes the thin device before its snapshot is made: that snapshot is not merged, and leaves nothing.
# tier: full
make_origin 8M
make_pool --data 32M
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
remember_origin
exec 7<"$mapper/thin1"
is_stopped() { grep -q '^State:.*T (stopped)' "/proc/$running/status"; }
launch='exec' LD_PRELOAD=/lab/labkill.so LAB_KILL=stop:create_snap by_name merge thin1 --snapshot >background 2>&1 &
running=$!
wait_until is_stopped
dm resume thin1
# Such a snapshot may have a part of this.
write "$mapper/thin1" 2 1M 1M
remember "$mapper/thin1"
kill -CONT "$running"
expect_end 0
[[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]] || fail 'it is suspended'
expect_merged
expect_settled
expect_ids 1
