# LVM: a merge by VG/LV works whatever is active, and leaves active what was, with the tables that it had.
# tier: full
# time limit: 480
make_volumes
tag=1
for state in '' 'pool' 'base' 'vm1' 'base vm1' 'base pool vm1'; do
  ((tag += 1))
  change_volume "$tag"
  for name in $state; do lvchange -q -ay -K "vg/$name"; done
  before=$(volume_devices) tables=$(dmsetup table)
  forget_merges
  expect_exit 0 by_name merge vg/vm1
  [[ $(volume_devices) == "$before" ]] || fail "with '$state' active before, there are $(volume_devices), not $before"
  [[ $(dmsetup table) == "$tables" ]] || { dmsetup table; fail 'the tables are not what they were'; }
  lvchange -q -an vg/vm1 vg/base
  expect_base_merged
  lvchange -q -an vg/pool
  expect_volumes 'base:ori-------' 'pool:twi---t---' 'vm1:Vwi---t---'
done
