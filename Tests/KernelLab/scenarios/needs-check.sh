# A pool marked needs_check is refused; with --ignore-needs-check its earlier metadata snapshot is merged.
# tier: full
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 30
remember "$mapper/thin1"
remember_origin
deactivate thin1
reserve
dm remove --retry pool
labtool needs-check "$metadata"
dm create pool --table "$pool_table"
[[ "$(dm status pool)" == *needs_check* ]] || fail 'the kernel does not see the mark'
expect_exit 2 by_path merge 1
expect_says 'needs.check'
expect_untouched
expect_exit 0 by_path merge 1 --ignore-needs-check
expect_merged
