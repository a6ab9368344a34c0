# LVM: an origin with a cache volume, whose mapping LVM gets wrong, is refused before it is activated; uncached it is merged.
# tier: full
make_group
lvcreate -q -y -Wn -Zn -L 16M -n base vg
lvcreate -q -y -L 8M -n fast vg
lvconvert -q -y --type cache --cachevol fast vg/base
make_vm1
expect_exit 2 by_name merge vg/vm1
expect_says 'cache volume, vg/base'
expect_nothing_active
lvconvert -q -y --uncache vg/base
# LVM may have spoiled blocks of base before: what counts is what vm1 shows now.
lvchange -q -ay -K vg/vm1 vg/base
remember /dev/vg/vm1 /dev/vg/base
lvchange -q -an vg/vm1 vg/base
expect_exit 0 by_name merge vg/vm1
expect_nothing_active
expect_base_merged
