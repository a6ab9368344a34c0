# Devices in the pool that no table names might show the origin: listed, and refused without --other-users-ok.
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
remember_origin
snapshot 7 1
pool_message 'create_thin 8'
deactivate thin1
activate 1 8M "$origin" --readonly
expect_exit 2 by_name merge thin1
expect_says '7'
expect_says '8'
expect_says '[-]-other-users-ok'
expect_untouched
expect_settled
expect_exit 0 by_name merge thin1 --other-users-ok
expect_merged
expect_settled
