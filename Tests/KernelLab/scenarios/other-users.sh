# Other thin devices on the origin are listed and refused without --other-users-ok, in inactive tables too.
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
deactivate thin1
activate 1 8M "$origin" --readonly
remember_origin
make_pool --name pool-two --data 4M
pool='pool-two'
make_thin 2 8M
pool=pool
expect_exit 2 by_name merge thin1
expect_says 'thin2'
expect_says '[-]-other-users-ok'
dm remove --retry thin2
# A table that was loaded and is not live yet.
dm create later --notable
dm reload later --table "0 16384 thin $mapper/pool-two 2 $origin"
expect_exit 2 by_name merge thin1
expect_says 'later'
expect_untouched
expect_settled
expect_exit 0 by_name merge thin1 --other-users-ok
expect_merged
expect_settled
