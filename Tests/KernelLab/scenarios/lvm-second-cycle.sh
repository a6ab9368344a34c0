# LVM: after a merge with --finish --rename, a new thin volume is made of the volume and merged with --finish again.
# tier: full
# time limit: 240
make_volumes
expect_exit 0 by_name merge vg/vm1 --finish --rename
expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
expect_nothing_active
for cycle in 2 3; do
  # The origin gets the name that the first one had, and the thin volume the number.
  lvconvert -q -y --type thin --thinpool vg/pool --originname base vg/vm1
  lvchange -q -an vg/vm1
  expect_volumes 'base:ori-------' 'pool:twi---t---' 'vm1:Vwi---t---'
  change_volume "$cycle"
  lvchange -q -an vg/pool
  expect_exit 0 thin-merge list
  expect_says '^vg/vm1 +vg/base .* none$'
  expect_exit 0 by_name merge vg/vm1 --finish --rename
  expect_says '^Merged thin device vg/vm1'
  expect_nothing_active
  expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
  expect_base_merged vm1
done
