# Active, writable and open: status 5, and nothing is changed.
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember_origin
table=$(dm table thin1)
exec 7<"$mapper/thin1"
expect_exit 5 by_name merge thin1
expect_says '[-]-snapshot'
expect_exit 5 by_name merge thin1 --reactivate
exec 7<&-
expect_untouched
expect_settled
[[ $(dm table thin1) == "$table" ]] || fail 'its table changed'
expect_ids 1
