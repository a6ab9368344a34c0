# LVM: a mounted thin volume is merged with --snapshot; LVM goes on as before, and its own snapshots are counted.
# tier: ci
# time limit: 240
loop pv 160M
mkdir -p /run/lock/lvm
pvcreate -q "$device"
vgcreate -q -s 1M vg "$device"
lvcreate -q -y -Wn -Zn -L 16M -n base vg
mkfs.ext4 -q /dev/vg/base
lvcreate -q -y -L 48M --poolmetadatasize 4M -c 64k -T vg/pool -Zn
lvchange -q -an vg/base
lvchange -q -pr vg/base
lvcreate -q -y -s --thinpool vg/pool -n vm vg/base
lvchange -q -ay -K vg/vm
mkdir mounted
mount /dev/vg/vm mounted
head -c 3000000 /dev/urandom >mounted/file
sha256sum <mounted/file >sum
lvcreate -q -y -s -n save vg/vm
expect_exit 2 by_name merge vg/vm --snapshot
expect_says '[-]-other-users-ok'
pool=vg-pool-tpool
expect_not_held "$pool"
lvremove -q -y vg/save
expect_exit 0 by_name merge vg/vm --snapshot
expect_not_held "$pool"
echo later >mounted/later
# LVM's idea of the pool is still the kernel's.
lvcreate -q -y -V 8M --thinpool vg/pool -n another
lvremove -q -y vg/another
umount mounted
lvchange -q -an vg/vm
lvchange -q -ay vg/base
# Of a copy, since the journal of the file system is to be replayed, and LVM has the origin read-only.
loop copy 16M
dd if=/dev/vg/base of="$device" bs=1M
mount "$device" mounted
[[ $(sha256sum <mounted/file) == "$(<sum)" ]] || fail 'the file is not what was written'
[[ ! -e mounted/later ]] || fail 'what was written later is there'
umount mounted
