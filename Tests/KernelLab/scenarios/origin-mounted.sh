# An origin with a mounted file system, or with a partition in use, is not written.
# tier: ci
make_pool
loop origin 16M
origin=$device
mkfs.ext4 -q "$origin"
make_thin 1 16M
scatter "$mapper/thin1" 1 30
deactivate thin1
reserve
mkdir mounted
mount "$origin" mounted
remember_origin
expect_exit 5 by_path merge 1
expect_says 'in use'
expect_untouched
umount mounted
# The whole disk, while a partition of it is mounted.
losetup -d "$origin"
origin=$(losetup --show --find --partscan "$work/origin.img")
addpart "$origin" 1 2048 30000
mkfs.ext4 -q "${origin}p1"
mount "${origin}p1" mounted
remember_origin
expect_exit 5 by_path merge 1
expect_says 'in use'
expect_untouched
umount mounted
