# A lost connection sends SIGHUP twice: the merge is drained, and thin device, origin and pool are put back.
# tier: ci
make_origin 17M
# Writes and flushes take a second each, so that draining outlasts both signals. The delayed device
# is longer than the origin: it would count as a layer of the origin otherwise.
dm create slow --table "0 $(sectors_of "$origin") delay $origin 0 0 $origin 0 1000"
dm create base --readonly --table "0 32768 linear $mapper/slow 0"
origin=$mapper/base
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 14M
remember "$mapper/thin1"
table=$(dm table thin1)
in_mid_merge by_name merge thin1 --no-snapshot --reactivate --make-origin-writable --rate-limit 2M --checkpoint-interval 0.2
! dm table thin1 || fail 'it is active while it is merged'
expect_held
kill -HUP "$running"
sleep 0.3
expect_running
kill -HUP "$running"
expect_end 3
expect_settled
[[ $(dm table thin1) == "$table" ]] || fail 'the thin device was not put back'
[[ $(dmsetup info -c --noheadings -o readonly base) == Read-only ]] || fail 'the origin stays writable'
expect_not_merged_yet
expect_exit 0 by_name merge thin1 --no-snapshot --reactivate --make-origin-writable
expect_merged
expect_settled
