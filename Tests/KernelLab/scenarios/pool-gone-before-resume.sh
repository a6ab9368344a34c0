# After a kill the machine's devices come back in another order, under other numbers; resume finds them.
make_origin 16M
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
deactivate thin1
reserve
in_mid_merge by_path merge 1 --rate-limit 3M --checkpoint-interval 0.2
stop_it KILL
dm remove --retry pool
losetup -D
metadata=$(losetup --show --find pool-meta.img)
origin=$(losetup --show --find origin.img)
data=$(losetup --show --find pool-data.img)
dm create pool --table "0 $(sectors_of "$data") thin-pool $metadata $data 128 0 0"
expect_held
expect_exit 0 resume "$(the_journal)" --metadata "$metadata" --data "$data" --origin "$origin"
expect_merged
