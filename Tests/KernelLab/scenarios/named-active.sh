# Active, writable, not open: a snapshot of it is merged while it stays active, and LVM's layers would too.
# tier: full
make_origin 8M
make_pool --data 32M
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
table=$(dm table thin1)
expect_exit 0 by_name merge thin1
expect_says 'You can remove the thin device'
expect_merged
expect_settled
expect_ids 1
[[ $(dm table thin1) == "$table" ]] || fail 'its table changed'
[[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]] || fail 'it is suspended'
expect_equal expected "$mapper/thin1"
