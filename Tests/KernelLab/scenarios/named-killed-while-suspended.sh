# Killed between suspend and resume of the thin device: it is resumed all the same, and the next run goes on.
make_origin 8M
make_pool --data 32M
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
exec 7<"$mapper/thin1"
expect_exit 137 env THIN_MERGE_LAB_STOP=after-suspend thin-merge merge thin1 --snapshot --yes
is_active() { [[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]]; }
wait_until is_active
write "$mapper/thin1" 1 0 64k
remember "$mapper/thin1"
expect_exit 0 by_name merge thin1 --snapshot
expect_merged
expect_settled
expect_ids 1
exec 7<&-
