# LVM: a thin snapshot of a read-only volume is merged by VG/LV, inactive and active, names with dashes included.
# tier: ci
# time limit: 240
loop pv 160M
mkdir -p /run/lock/lvm
pvcreate -q "$device"
vgcreate -q -s 1M lab-vg "$device"
lvcreate -q -y -Wn -Zn -L 16M -n base-image lab-vg
origin=/dev/lab-vg/base-image
labtool fill "$origin" "$origin_tag"
lvcreate -q -y -L 48M --poolmetadatasize 4M -c 64k -T lab-vg/pool-1 -Zn
lvchange -q -an lab-vg/base-image
lvchange -q -pr lab-vg/base-image
lvcreate -q -y -s --thinpool lab-vg/pool-1 -n vm-1 lab-vg/base-image
lvchange -q -ay -K lab-vg/vm-1
scatter /dev/lab-vg/vm-1 1 60
write /dev/lab-vg/vm-1 2 4M 2M
lvs -a -o+thin_id lab-vg
dm ls
dm table
lvchange -q -ay lab-vg/base-image
remember /dev/lab-vg/vm-1 /dev/lab-vg/base-image
# Active and open: not without a snapshot.
exec 7</dev/lab-vg/vm-1
expect_exit 5 by_name merge lab-vg/vm-1
expect_says 'the thin device is in use'
exec 7<&-
lvchange -q -an lab-vg/vm-1
expect_exit 0 by_name merge lab-vg/vm-1
expect_merged /dev/lab-vg/base-image
[[ $(blockdev --getro /dev/lab-vg/base-image) == 1 ]] || fail 'the origin is writable'
pool=lab--vg-pool--1-tpool
expect_not_held "$pool"
# Again, active this time.
lvchange -q -ay -K lab-vg/vm-1
write /dev/lab-vg/vm-1 3 9M 1M
remember /dev/lab-vg/vm-1 /dev/lab-vg/base-image
rm -rf "$journals"
expect_exit 0 by_name merge /dev/lab-vg/vm-1
expect_merged /dev/lab-vg/base-image
expect_not_held "$pool"
[[ $(lvs --noheadings -o lv_active lab-vg/vm-1) == *active* ]] || fail 'LVM does not see it as active'
lvchange -q -an lab-vg/vm-1
lvchange -q -ay -K lab-vg/vm-1
# The end: the thin volume goes, and the origin takes its name, writable.
expect_exit 0 by_name merge lab-vg/vm-1 --finish --rename
expect_merged /dev/lab-vg/vm-1
[[ $(blockdev --getro /dev/lab-vg/vm-1) == 0 ]] || fail 'it is not writable'
