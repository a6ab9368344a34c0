# A thin device that was mounted before it became read-only is still written to: status 5; --snapshot merges it.
# tier: ci
make_origin 16M
mkfs.ext4 -q "$origin"
make_pool --data 32M
make_thin 1 16M
mkdir mounted
mount "$mapper/thin1" mounted
dm reload thin1 --readonly --table "$(dm table thin1)"
dm suspend thin1
dm resume thin1
[[ $(dmsetup info -c --noheadings -o readonly thin1) == Read-only ]] || fail 'the lab is wrong'
head -c 3000000 /dev/urandom >mounted/file
sha256sum <mounted/file >sum
remember_origin
expect_exit 5 by_name merge thin1
expect_says 'in use'
expect_untouched
expect_settled
expect_exit 0 by_name merge thin1 --snapshot
expect_settled
expect_ids 1
umount mounted
deactivate thin1
e2fsck -f -n "$origin"
mount "$origin" mounted
[[ $(sha256sum <mounted/file) == "$(<sum)" ]] || fail 'the file is not what was written'
umount mounted
