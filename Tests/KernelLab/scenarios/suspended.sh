# A suspended origin is refused without waiting for it; a suspended pool is no hindrance. Both stay so.
# tier: ci
make_origin 8M
dm create base --table "0 16384 linear $origin 0"
origin=$mapper/base
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
remember_origin
deactivate thin1
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 8M)
suspended() { dmsetup info -c --noheadings -o suspended "$1"; }
dm suspend base
expect_exit 5 timeout 30 thin-merge merge "${by[@]}" --yes
expect_says 'the origin is suspended'
[[ $(suspended base) == Suspended ]] || fail 'it was resumed'
dm resume base
expect_untouched
expect_settled
# The kernel takes messages to a suspended pool.
dm suspend pool
expect_exit 0 timeout 30 thin-merge merge "${by[@]}" --yes
[[ $(suspended pool) == Suspended ]] || fail 'it was resumed'
dm resume pool
expect_merged
