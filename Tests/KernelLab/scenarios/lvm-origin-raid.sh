# LVM: an origin on raid1 is refused before anything changes; onto a copy, as the hint says, the merge is right.
# tier: full
make_volumes --type raid1 -m1
expect_exit 2 by_name merge vg/vm1
expect_says 'with target raid'
expect_says 'create a device of the same size, copy the origin to it, and merge into that copy'
expect_says 'lvconvert -m0 vg/base'
expect_nothing_active
expect_volumes 'base:ori---r---' 'pool:twi---t---' 'vm1:Vwi---t---'
lvcreate -q -y -Wn -Zn -L 16M -n copy vg
lvchange -q -ay -K vg/base
dd if=/dev/vg/base of=/dev/vg/copy bs=1M
lvchange -q -an vg/base
expect_exit 0 by_name merge vg/vm1 --origin vg/copy
expect_merged /dev/vg/copy
# The other way: one leg less, and it is linear.
lvchange -q -ay -K vg/base
lvconvert -q -y -m0 vg/base
lvchange -q -an vg/base
expect_exit 0 by_name merge vg/vm1
expect_base_merged
