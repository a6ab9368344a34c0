# A thin device that is not active is named by its pool and number; without --origin that is refused, status 2.
# tier: full
make_origin 8M
make_pool
make_thin 1 10M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
remember_origin
deactivate thin1
expect_exit 2 by_name merge --pool pool --dev-id 1
expect_says 'origin'
# Longer than the origin, and it tells of mappings there.
expect_exit 2 by_name merge --pool pool --dev-id 1 --origin "$origin" --thin-size 10M
expect_untouched
expect_settled
expect_exit 0 by_name merge --pool pool --dev-id 1 --origin "$origin" --thin-size 10M --past-end clip
expect_merged
expect_settled
expect_exit 0 by_name verify --pool pool --dev-id 1 --origin "$origin" --thin-size 10M --past-end clip
expect_settled
