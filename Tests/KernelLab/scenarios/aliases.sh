# A second device of the same thin device counts, under whichever name it goes, in an inactive table too.
# tier: full
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
remember_origin
deactivate thin1
activate 1 8M "$origin" --readonly
dm create again --table "0 16384 thin $mapper/pool 1 $origin"
exec 7<"$mapper/again"
expect_exit 5 by_name merge thin1
expect_says 'again'
exec 7<&-
dm remove --retry again
dm create again --notable
dm reload again --table "0 16384 thin $mapper/pool 1 $origin"
expect_exit 5 by_name merge thin1
expect_says 'again'
expect_untouched
expect_settled
dm remove --retry again
expect_exit 0 by_name merge thin1
expect_merged
expect_settled
