# A pool without a free block: what its thin device has is merged all the same.
# tier: ci
make_origin 16M
make_pool --data 4M error_if_no_space
make_thin 1 16M
! write "$mapper/thin1" 1 0 12M 64k || fail 'it fits'
dm status pool
remember "$mapper/thin1"
deactivate thin1
expect_exit 0 by_name merge --pool pool --dev-id 1 --origin "$origin" --thin-size 16M
expect_merged
expect_settled
