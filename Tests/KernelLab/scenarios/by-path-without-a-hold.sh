# Paths of an active pool's devices, and no metadata snapshot held: one is taken, and released at the end.
# tier: full
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 30
remember "$mapper/thin1"
deactivate thin1
expect_exit 0 by_path plan 1
expect_settled
expect_exit 0 by_path merge 1
expect_merged
expect_settled
expect_exit 0 by_path verify 1
expect_settled
# Held by hand, it is used, and stays held.
reserve
block=$(held)
expect_exit 0 by_path verify 1
[[ $(held) == "$block" ]] || fail 'it is not held any more'
