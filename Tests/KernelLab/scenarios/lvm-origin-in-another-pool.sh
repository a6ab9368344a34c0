# LVM: a merge onto a thin volume of another pool works with nothing active and with all, and that volume takes the place.
# tier: full
# time limit: 240
make_volumes
lvremove -q -y vg/vm1
lvremove -q -y vg/base
lvcreate -q -y -L 24M --poolmetadatasize 4M -c 64k -T vg/pool2 -Zn
lvcreate -q -y -V 16M --thinpool vg/pool2 -n base
labtool fill /dev/vg/base "$origin_tag"
lvchange -q -an vg/base
lvchange -q -pr vg/base
lvcreate -q -y -s --thinpool vg/pool -n vm1 vg/base
change_volume 1
lvchange -q -an vg/pool vg/pool2
expect_nothing_active
expect_exit 0 thin-merge list
expect_says '^vg/vm1 +vg/base +vg/pool '
expect_exit 0 thin-merge plan vg/vm1
expect_says 'write-protected +vg/base, by LVM'
expect_exit 0 by_name merge vg/vm1
expect_nothing_active
expect_base_merged
change_volume 2
lvchange -q -ay -K vg/vm1 vg/base
before=$(volume_devices)
expect_exit 0 by_name merge vg/vm1 --again
[[ $(volume_devices) == "$before" ]] || fail "there are $(volume_devices), not $before"
expect_base_merged
lvchange -q -an vg/vm1 vg/base
lvchange -q -an vg/pool vg/pool2
expect_volumes 'base:ori---t---' 'pool2:twi---t---' 'pool:twi---t---' 'vm1:Vwi---t---'
expect_exit 0 by_name merge vg/vm1 --finish --rename
expect_nothing_active
expect_base_merged vm1
lvchange -q -an vg/pool2
expect_volumes 'pool2:twi---t---' 'pool:twi---t---' 'vm1:Vwi---t---'
