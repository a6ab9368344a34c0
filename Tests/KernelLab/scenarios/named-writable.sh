# Active, writable, not open: with --no-snapshot it is removed for the merge, and --reactivate puts the same back.
# tier: ci
make_origin 8M
make_pool
make_thin 1 8M
deactivate thin1
activate 1 8M "$origin" --uuid LAB-thin-one
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
table=$(dm table thin1)
expect_exit 0 by_name merge thin1 --no-snapshot --reactivate
expect_merged
expect_settled
[[ $(dm table thin1) == "$table" ]] || fail 'it is not as it was'
[[ $(dmsetup info -c --noheadings -o uuid thin1) == LAB-thin-one ]] || fail 'it has lost its uuid'
expect_equal expected "$mapper/thin1"
write "$mapper/thin1" 5 0 64k
