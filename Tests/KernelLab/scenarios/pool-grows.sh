# A pool whose metadata and data device LVM extends in mid-merge, and between two runs, is the same pool.
# tier: full
# time limit: 240
loop pv 200M
mkdir -p /run/lock/lvm
pvcreate -q "$device"
vgcreate -q -s 1M vg "$device"
lvcreate -q -y -Wn -Zn -L 16M -n vm1 vg
labtool fill /dev/vg/vm1 "$origin_tag"
lvcreate -q -y -L 48M --poolmetadatasize 4M -c 64k -T vg/pool -Zn
lvconvert -q -y --type thin --thinpool vg/pool --originname base vg/vm1
lvchange -q -ay -K vg/vm1
write /dev/vg/vm1 2 0 12M
lvchange -q -ay -K vg/base
remember /dev/vg/vm1 /dev/vg/base
lvchange -q -an vg/vm1
grow() {
  lvm lvextend -q --poolmetadatasize +4M vg/pool
  lvm lvextend -q -L +8M vg/pool
}
in_mid_merge by_name merge vg/vm1 --make-origin-writable --rate-limit 2M --checkpoint-interval 0.2
stop_it INT
[[ $status == 3 ]] || fail "it ended with status $status"
expect_not_held vg-pool-tpool
grow
in_mid_merge resume "$(the_journal)"
grow
expect_end 0
expect_merged /dev/vg/base
expect_not_held vg-pool-tpool
