# LVM refreshes, extends, renames, restarts and removes the thin volume in mid-merge: the merge makes the origin writable again, but where its layer goes.
# tier: full
# time limit: 300
loop pv 192M
mkdir -p /run/lock/lvm
pvcreate -q "$device"
vgcreate -q -s 1M vg "$device"
lvcreate -q -y -Wn -Zn -L 16M -n base vg
labtool fill /dev/vg/base "$origin_tag"
lvcreate -q -y -L 96M --poolmetadatasize 4M -c 64k -T vg/pool -Zn
lvchange -q -an vg/base
lvchange -q -pr vg/base
lvcreate -q -y -s --thinpool vg/pool -n vm vg/base
lvchange -q -ay -K vg/vm
write /dev/vg/vm 1 0 12M
lvchange -q -ay vg/base
origin=/dev/vg/base
pool=vg-pool-tpool
remember /dev/vg/vm "$origin"
expect_read_only() { [[ $(blockdev --getro "$origin") == 1 ]] || fail 'the origin is writable'; }
slowly=(--rate-limit 3M --checkpoint-interval 0.2)
# The layer below the origin that is open: the kernel says so and writes all the same.
in_mid_merge by_name merge vg/vm "${slowly[@]}"
lvchange -q --refresh vg/vm
lvm lvextend -q -L +1M vg/vm
expect_end 0
expect_merged "$origin"
expect_read_only
# The origin itself.
rm -r "$journals"
in_mid_merge by_name merge vg/vm "${slowly[@]}"
lvchange -q --refresh vg/base
expect_end 0
expect_says 'bec[ao]me read-only during the merge'
expect_read_only
rm -r "$journals"
in_mid_merge by_name merge vg/vm "${slowly[@]}"
lvrename -q vg vm vm2
expect_end 0
expect_says 'You can remove the thin device'
expect_merged "$origin"
expect_not_held "$pool"
# Only its lower layer is there: LVM makes that read-only with each activation of the thin volume.
lvchange -q -an vg/base
rm -r "$journals"
in_mid_merge by_name merge vg/vm2 "${slowly[@]}"
lvchange -q -an vg/vm2
lvchange -q -ay -K vg/vm2
expect_end 0
lvchange -q -ay vg/base
expect_merged "$origin"
expect_not_held "$pool"
# Removed, with all that LVM does for it in the pool.
write /dev/vg/vm2 2 0 12M
remember /dev/vg/vm2 "$origin"
rm -r "$journals"
in_mid_merge by_name merge vg/vm2 "${slowly[@]}"
lvremove -q -y vg/vm2
expect_end 3
expect_says 'bec[ao]me read-only during the merge'
expect_exit 0 resume "$(the_journal)" --make-origin-writable
expect_says 'The thin device no longer exists'
expect_merged "$origin"
expect_not_held "$pool"
lvcreate -q -y -V 8M --thinpool vg/pool -n another
lvchange -q -prw vg/base
[[ $(blockdev --getro "$origin") == 0 ]] || fail 'the origin is not writable'
