# With --no-snapshot and --reactivate the thin device is put back also when the merge is stopped, and when it was killed.
# tier: full
make_origin 16M
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
table=$(dm table thin1)
in_mid_merge by_name merge thin1 --no-snapshot --reactivate --rate-limit 3M --checkpoint-interval 0.2
! dm table thin1 || fail 'it is active while it is merged'
stop_it INT
((status == 3)) || fail "exit status $status"
expect_settled
[[ $(dm table thin1) == "$table" ]] || fail 'it was not put back'
in_mid_merge by_name merge thin1 --no-snapshot --reactivate --rate-limit 3M --checkpoint-interval 0.2
stop_it KILL
! dm table thin1 || fail 'who put it back?'
expect_exit 0 by_name plan --pool pool --dev-id 1 --origin "$origin"
! dm table thin1 || fail 'plan put it back'
expect_exit 0 thin-merge settle
expect_settled
[[ $(dm table thin1) == "$table" ]] || fail 'the next run did not put it back'
expect_exit 0 by_name merge thin1 --no-snapshot --reactivate
expect_merged
expect_settled
