# Active, writable, not open: refused with status 2 where neither --reactivate nor --snapshot is given.
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember_origin
table=$(dm table thin1)
expect_exit 2 by_name merge thin1
expect_says '[-]-reactivate'
expect_says '[-]-snapshot'
expect_untouched
expect_settled
[[ $(dm table thin1) == "$table" ]] || fail 'its table changed'
