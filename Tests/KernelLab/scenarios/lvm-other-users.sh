# LVM: unrelated volumes keep nobody from merging; those on the origin, in any pool, and classic snapshots are named.
# tier: full
# time limit: 300
make_volumes
lvcreate -q -y -V 8M --thinpool vg/pool -n unrelated
lvchange -q -an vg/unrelated
lvchange -q -an vg/pool
expect_exit 0 by_name merge vg/vm1
expect_silent_about 'unrelated'
expect_base_merged
change_volume 2
forget_merges
lvcreate -q -y -s --thinpool vg/pool -n vm2 vg/base
expect_exit 2 by_name merge vg/vm1
expect_says 'vg/vm2'
expect_exit 0 thin-merge list
expect_says 'vg/vm1: vg/vm2 is also on vg/base'
expect_exit 2 by_name merge vg/vm1 --finish --other-users-ok
expect_says 'cannot replace vg/vm1 with its origin, vg/base: vg/vm2 is also on vg/base'
lvremove -q -y vg/vm2
lvcreate -q -y -L 12M --poolmetadatasize 4M -c 64k -T vg/pool2 -Zn
lvcreate -q -y -s --thinpool vg/pool2 -n vm3 vg/base
lvchange -q -an vg/pool2
expect_exit 2 by_name merge vg/vm1
expect_says 'vg/vm3'
expect_exit 0 by_name merge vg/vm1 --other-users-ok
expect_base_merged
lvremove -q -y vg/vm3
if lvcreate -q -y -s -L 4M -n snap vg/base; then
  change_volume 3
  forget_merges
  lvs -a -o name,uuid,pool_lv,origin,thin_id,transaction_id vg
  dmsetup table
  expect_exit 2 by_name merge vg/vm1 --other-users-ok
  expect_says 'vg/snap'
  lvremove -q -y vg/snap
  forget_merges
fi
expect_exit 0 by_name merge vg/vm1 --finish
lvchange -q -an vg/base
lvchange -q -an vg/pool vg/pool2
expect_nothing_active
expect_volumes 'base:-wi-------' 'pool2:twi---t---' 'pool:twi---t---' 'unrelated:Vwi---t---'
