# LVM: a merge by VG/LV works whatever is active, and leaves active what was.
# tier: full
# time limit: 480
make_volumes
tag=1
for state in '' 'pool' 'base' 'vm1' 'base vm1' 'base pool vm1'; do
  ((tag += 1))
  change_volume "$tag"
  lvchange -q -an vg/pool
  for name in $state; do lvchange -q -ay -K "vg/$name"; done
  before=$(volume_devices)
  forget_merges
  expect_exit 0 by_name merge vg/vm1
  [[ $(volume_devices) == "$before" ]] || fail "with '$state' active before, there are $(volume_devices), not $before"
  lvchange -q -an vg/vm1 vg/base
  expect_base_merged
  [[ $(lvs --noheadings -o lv_permissions vg/base | tr -d ' ') == read-only ]] || fail 'base is writable for LVM'
done
lvm vgck vg
