# Killed with the whole machine, which comes back with other device numbers: the held metadata snapshot is still known.
# tier: full
make_origin 16M
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
deactivate thin1
in_mid_merge by_name merge --pool pool --dev-id 1 --origin "$origin" --thin-size 16M \
  --rate-limit 3M --checkpoint-interval 0.2
stop_it KILL
dm remove --retry pool
losetup -D
# In another order.
metadata=$(losetup --show --find pool-meta.img)
origin=$(losetup --show --find origin.img)
data=$(losetup --show --find pool-data.img)
dm create pool --table "0 $(sectors_of "$data") thin-pool $metadata $data 128 0 0"
expect_held
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 16M)
expect_exit 0 by_name plan "${by[@]}"
expect_snapshot_kept
expect_exit 0 by_name merge "${by[@]}"
expect_merged
expect_settled
