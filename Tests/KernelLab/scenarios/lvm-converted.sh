# LVM: a thick volume that lvconvert made thin, with what it was as its read-only origin, is merged back by VG/LV.
# tier: full
# time limit: 240
loop pv 160M
mkdir -p /run/lock/lvm
pvcreate -q "$device"
vgcreate -q -s 1M vg "$device"
lvcreate -q -y -Wn -Zn -L 16M -n vm1 vg
labtool fill /dev/vg/vm1 "$origin_tag"
lvcreate -q -y -L 48M --poolmetadatasize 4M -c 64k -T vg/pool -Zn
lvconvert -q -y --type thin --thinpool vg/pool --originname base vg/vm1
lvchange -q -ay -K vg/vm1
scatter /dev/vg/vm1 1 60
write /dev/vg/vm1 2 4M 2M
lvs -a -o+thin_id,origin vg
# The origin by itself, above the layer that the thin volume lies on.
lvchange -q -ay vg/base
remember /dev/vg/vm1 /dev/vg/base
lvchange -q -an vg/vm1
expect_exit 0 by_name merge vg/vm1
expect_merged /dev/vg/base
[[ $(blockdev --getro /dev/vg/base) == 1 ]] || fail 'the origin is writable'
expect_not_held vg-pool-tpool
# Active, and its origin not: only the layer under it is there.
lvchange -q -ay -K vg/vm1
write /dev/vg/vm1 3 9M 1M
remember /dev/vg/vm1 /dev/vg/base
lvchange -q -an vg/base
expect_exit 4 by_name merge vg/vm1
expect_says 'was written to after the merge'
expect_exit 0 by_name merge vg/vm1 --again
expect_merged /dev/mapper/vg-base-real
# Neither is active: LVM is asked for the origin, which is activated for the comparison.
lvchange -q -an vg/vm1
expect_exit 0 by_name merge vg/vm1
expect_says 'Already merged, and still identical'
