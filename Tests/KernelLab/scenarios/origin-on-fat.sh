# An image on FAT, which has no hard links and no lasting inodes, is merged onto and resumed after a remount.
# tier: full
make_origin 12M
make_pool
make_thin 1 12M
write "$mapper/thin1" 1 0 8M 64k
remember "$mapper/thin1"
deactivate thin1
reserve
loop stick 32M
stick=$device
busybox mkdosfs "$stick"
mkdir mounted
mount -t vfat "$stick" mounted
dd if="$origin" of=mounted/origin.img bs=1M status=none
origin=mounted/origin.img
limited() { (ulimit -f 4096 && "$@"); }
expect_exit 3 limited by_path merge 1
expect_says 'has no stable identity'
expect_says 'ulimit -f'
[[ -f $origin.thin-merge ]] || fail 'there is no journal beside the origin'
inode=$(stat -c %i "$origin")
umount mounted
mount -t vfat "$stick" mounted
[[ $(stat -c %i "$origin") != "$inode" ]] || fail 'the file has the inode that it had'
expect_exit 4 resume "$origin.thin-merge"
expect_says 'no stable identity'
expect_exit 0 resume "$origin.thin-merge" --same-origin
expect_says 'verified'
expect_merged
expect_exit 0 by_path verify 1
