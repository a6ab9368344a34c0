# LVM: origins that are striped, cached, or thin in another pool are merged onto; one on raid1 is refused with the reason.
# tier: full
# time limit: 480
clean() {
  vgchange -q -an vg
  lvm vgremove -q -ff -y vg
  losetup -D
  rm -f "$work"/pv.img "$work"/pv2.img
  forget_merges
}
make_volumes -i 2
expect_exit 0 by_name merge vg/vm1
expect_base_merged
clean
make_volumes --type raid1 -m1
expect_exit 2 by_name merge vg/vm1
expect_says 'raid'
clean
make_volumes
lvcreate -q -y -L 8M -n fast vg
lvconvert -q -y --type cache --cachevol fast vg/base || { echo 'LVM caches no external origin'; }
lvs -a vg
expect_exit 0 by_name merge vg/vm1
expect_base_merged
clean
