# With a udevd and LVM: an active thin volume is merged by VG/LV, itself and by a snapshot.
# tier: ci
# boots: udev
loop pv 160M
mkdir -p /run/lock/lvm
pvcreate -q "$device"
vgcreate -q -s 1M vg "$device"
lvcreate -q -y -Wn -Zn -L 16M -n base vg
[[ -L /dev/vg/base ]] || fail 'udev did not make the name: the lab is wrong'
labtool fill /dev/vg/base "$origin_tag"
lvcreate -q -y -L 48M --poolmetadatasize 4M -c 64k -T vg/pool -Zn
lvchange -q -an vg/base
lvchange -q -pr vg/base
lvcreate -q -y -s --thinpool vg/pool -n vm vg/base
lvchange -q -ay -K vg/vm
lvchange -q -ay vg/base
scatter /dev/vg/vm 1 60
pool=vg-pool-tpool
remember /dev/vg/vm /dev/vg/base
expect_exit 0 by_name merge vg/vm --no-snapshot --reactivate
expect_merged /dev/vg/base
expect_not_held "$pool"
expect_no_cookies
[[ -L /dev/vg/vm ]] || fail 'its name in /dev/vg was not made again'
[[ $(lvs --noheadings -o lv_active vg/vm) == *active* ]] || fail 'LVM does not see it as active'
write /dev/vg/vm 2 4M 2M
remember /dev/vg/vm /dev/vg/base
exec 7</dev/vg/vm
# Written to since the merge above was finished.
expect_exit 4 by_name merge vg/vm --snapshot
expect_exit 0 by_name merge vg/vm --snapshot --again
exec 7<&-
expect_merged /dev/vg/base
expect_not_held "$pool"
expect_no_cookies
[[ $(blockdev --getro /dev/vg/base) == 1 ]] || fail 'the origin is writable'
# LVM can still use the pool and the volume.
lvcreate -q -y -V 8M --thinpool vg/pool -n another
lvremove -q -y vg/another
lvchange -q -an vg/vm
lvchange -q -ay -K vg/vm
# The end, with the name in /dev/vg that guests have.
expect_exit 0 by_name merge vg/vm --finish --rename
[[ -b /dev/vg/vm && ! -e /dev/vg/base ]] || fail 'the names in /dev/vg are wrong'
expect_merged /dev/vg/vm
expect_no_cookies
