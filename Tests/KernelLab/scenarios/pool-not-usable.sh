# Pools that are marked needs_check, read-only, or given up by the kernel are refused: status 2.
# tier: ci
make_origin 8M
loop meta-device 4M
under=$device
dm create meta --table "0 8192 linear $under 0"
make_pool --meta-device "$mapper/meta"
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember_origin
deactivate thin1
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 8M)

dm remove --retry pool
dm create pool --table "${pool_table% 0 0*} 0 1 read_only"
expect_exit 2 by_name merge "${by[@]}"
expect_says 'cannot take a metadata snapshot.*the pool is read-only'
dm remove --retry pool

labtool needs-check "$mapper/meta"
dm create pool --table "$pool_table"
expect_exit 2 by_name merge "${by[@]}"
expect_says 'the pool is marked needs_check'
dm remove --retry pool
labtool needs-check "$mapper/meta"

# The flag is taken back, and the metadata fails under the pool.
dm create pool --table "$pool_table"
retable meta '0 8192 error'
! dm message pool 0 'create_thin 5' || echo 'not noticed yet'
expect_exit 2 by_name merge "${by[@]}"
expect_says 'bad metadata, .*block 0: cannot be read: Input/output error'
[[ $(dm status pool) =~ Fail|Error|needs_check ]] || fail "the pool is usable: $(dm status pool)"
retable meta "0 8192 linear $under 0"
expect_untouched
