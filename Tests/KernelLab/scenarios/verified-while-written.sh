# Plan and verify only read: they run while the thin device is writable and open, and leave nothing behind.
# tier: full
make_origin 8M
make_pool --data 32M
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember_origin
table=$(dm table thin1)
exec 7<"$mapper/thin1"
expect_exit 0 by_name plan thin1
expect_settled
expect_exit 1 by_name verify thin1
expect_settled
expect_exit 0 by_name plan thin1 --snapshot
expect_settled
expect_untouched
expect_ids 1
[[ $(dm table thin1) == "$table" ]] || fail 'its table changed'
exec 7<&-
