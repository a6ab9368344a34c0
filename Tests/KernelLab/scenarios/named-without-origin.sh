# A thin device whose table names no external origin: status 2 with a hint, or merged onto what --origin says.
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
remember_origin
deactivate thin1
activate 1 8M - --readonly
expect_exit 2 by_name merge thin1
expect_says '[-]-origin'
expect_untouched
expect_settled
expect_exit 0 by_name merge thin1 --origin "$origin"
expect_merged
expect_settled
