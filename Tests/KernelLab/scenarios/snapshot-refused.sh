# The pool refuses the snapshot of a device that is suspended for it: the device is resumed, and nothing is merged.
# tier: full
make_origin 8M
make_pool --data 32M
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember_origin
exec 7<"$mapper/thin1"
LD_PRELOAD=/lab/labkill.so LAB_KILL=refuse:create_snap expect_exit 2 by_name merge thin1 --snapshot
expect_says 'labkill: refused create_snap'
expect_says 'cannot create a snapshot of the thin device'
[[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]] || fail 'it is suspended'
expect_untouched
expect_settled
expect_ids 1
