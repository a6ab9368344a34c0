# A data or metadata device given by path that only overlaps the pool's own is refused, status 2; the origin stays.
# tier: ci
make_origin 8M
loop disk 17M
disk=$device
dm create tdata --table "0 32768 linear $disk 2048"
loop meta-disk 5M
meta_disk=$device
dm create tmeta --table "0 8192 linear $meta_disk 2048"
make_pool --data-device "$mapper/tdata" --meta-device "$mapper/tmeta"
make_thin 1 8M
scatter "$mapper/thin1" 1 40
make_thin 2 16M -
remember "$mapper/thin1"
remember_origin
deactivate thin1 thin2
activate 2 16M -
shifted=$(losetup --show --find --offset 1048576 "$work/disk.img")
own_data=$data own_metadata=$metadata
for data in "$disk" "$shifted" "$mapper/thin2"; do
  expect_exit 2 by_path merge 1 --other-users-ok
  expect_says "not the pool's data device"
  expect_untouched
done
data=$own_data
metadata=$meta_disk
expect_exit 2 by_path merge 1 --other-users-ok
expect_says "not the pool's metadata device"
expect_untouched
# A thin device may be the metadata device of a pool of its own, so here the data device decides.
metadata=$mapper/thin2
expect_exit 2 by_path merge 1 --other-users-ok
expect_says 'a pool is active on the data device.*another metadata device'
expect_untouched
metadata=$own_metadata
losetup -d "$shifted"
deactivate thin2
# Under another name, and under a linear layer of the same length, it is the pool's.
dm create again --table "0 32768 linear $mapper/tdata 0"
data=$mapper/again
expect_exit 0 by_path merge 1 --other-users-ok
expect_merged
expect_settled
