# LVM: whatever stopped a merge, and whatever happened since, its volume's name is enough to go on, and one message says how.
# tier: full
# time limit: 300
slowly=(--rate-limit 1M --checkpoint-interval 0.2)
begin() {
  lvchange -q -an vg/pool
  forget_merges
  in_mid_merge by_name merge vg/vm1 "${slowly[@]}"
}
expect_unfinished() {
  expect_exit 0 thin-merge list
  expect_says "^vg/vm1 +vg/base .*unfinished"
  expect_exit 0 thin-merge status vg/vm1
  expect_says 'Merge of vg/vm1 into vg/base: unfinished'
  expect_says "^ +thin-merge resume $(the_journal)$"
}
expect_left_nothing() {
  expect_nothing_active
  expect_volumes 'base:ori-------' 'pool:twi---t---' 'vm1:Vwi---t---'
  expect_exit 0 thin-merge settle --list
  expect_says 'left nothing'
}
make_volumes
# Stopped, and a guest started since: the merge resumes from its snapshot, and newer blocks are merged after that.
begin
stop_it INT
expect_nothing_active
expect_unfinished
lvchange -q -ay -K vg/vm1
write /dev/vg/vm1 5 9M 1M
lvchange -q -an vg/vm1
lvchange -q -an vg/pool
expect_exit 0 resume vg/vm1
expect_says 'Keep the thin device: it was written to'
expect_left_nothing
expect_exit 4 by_name merge vg/vm1 --finish
expect_says 'vg/vm1 was written to after the merge'
expect_says 'thin-merge merge --again vg/vm1'
lvchange -q -ay -K vg/vm1 vg/base
remember /dev/vg/vm1 /dev/vg/base
lvchange -q -an vg/vm1 vg/base
expect_exit 0 by_name merge vg/vm1 --again
expect_base_merged
expect_left_nothing
# Killed, all volumes being activated for it: they stay active until something looks after them.
change_volume 2
begin
stop_it KILL
expect_unfinished
expect_exit 0 thin-merge settle
expect_nothing_active
expect_unfinished
expect_exit 0 resume vg/vm1
expect_base_merged
expect_left_nothing
# Killed, and a guest is started.
change_volume 3
begin
stop_it KILL
lvchange -q -ay -K vg/vm1
write /dev/vg/vm1 6 10M 1M
expect_exit 0 resume vg/vm1
expect_says 'Keep the thin device: it was written to'
lvchange -q -an vg/vm1
lvchange -q -ay -K vg/vm1 vg/base
remember /dev/vg/vm1 /dev/vg/base
lvchange -q -an vg/vm1 vg/base
expect_exit 0 by_name merge vg/vm1 --again
expect_base_merged
lvchange -q -an vg/pool
expect_left_nothing
# Killed with the machine, which comes back with other device numbers and nothing active.
change_volume 4
begin
stop_it KILL
vgchange -q -an vg
losetup -D
for name in pv2 pv; do losetup --find "$name.img"; done
expect_nothing_active
expect_unfinished
expect_exit 0 resume vg/vm1
expect_base_merged
expect_left_nothing
expect_exit 0 by_name merge vg/vm1 --finish --rename
expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
