# LVM: an origin that is striped or cached, and a pool on raid1, are merged, and the origin takes the volume's place.
# tier: full
# time limit: 300
# Merges with nothing active, and has the origin take the name.
merge_and_finish() {
  lvs -a -o+devices vg
  expect_nothing_active
  expect_exit 0 by_name merge vg/vm1
  expect_nothing_active
  expect_base_merged
  expect_exit 0 by_name merge vg/vm1 --finish --rename
  expect_nothing_active
  expect_base_merged vm1
}
make_volumes -i 2
merge_and_finish
expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
remove_volumes
# A cache with blocks that the disk below does not have yet. It is a cache pool: lvm2 2.03.16 maps the two halves of a
# cache volume twice once that is under an external origin, and so destroys what the cache has.
make_group
lvcreate -q -y -Wn -Zn -L 16M -n base vg
lvcreate -q -y --type cache-pool -L 4M --poolmetadatasize 4M -n fast vg
lvconvert -q -y --type cache --cachemode writeback --cachepool fast vg/base
labtool fill /dev/vg/base "$origin_tag"
scatter /dev/vg/base 9 40
scatter /dev/vg/base 9 40
dm status vg-base
make_vm1
merge_and_finish
expect_volumes 'pool:twi---t---' 'vm1:Cwi---C---'
lvconvert -q -y --uncache vg/vm1
lvchange -q -an vg/vm1
expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
expect_base_merged vm1
remove_volumes
make_volumes
lvchange -q -ay vg/pool
lvconvert -q -y --type raid1 -m1 vg/pool_tdata
lvconvert -q -y --type raid1 -m1 vg/pool_tmeta
lvchange -q -an vg/pool
merge_and_finish
expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
lvcreate -q -y -V 8M --thinpool vg/pool -n another
