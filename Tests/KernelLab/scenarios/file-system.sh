# A mounted file system on the thin device: with --snapshot the origin has its files of that moment, and is clean.
# tier: ci
make_origin 16M
mkfs.ext4 -q "$origin"
make_pool --data 32M
make_thin 1 16M
mkdir mounted
mount "$mapper/thin1" mounted
mkdir mounted/files
for number in 1 2 3 4 5 6 7 8; do
  head -c $((number * 70000)) /dev/urandom >"mounted/files/$number"
done
(cd mounted && sha256sum files/*) >sums
expect_exit 5 by_name merge thin1
expect_says 'the thin device is in use'
# Nothing was synced: what is in the page cache belongs to that moment too. The journal of the file system is replayed
# when the origin is mounted.
expect_exit 0 by_name merge thin1 --snapshot
echo later >mounted/files/later
umount mounted
deactivate thin1
expect_settled
mount "$origin" mounted
(cd mounted && sha256sum -c "$work/sums")
[[ ! -e mounted/files/later ]] || fail 'what was written later is there'
umount mounted
e2fsck -f -n "$origin"
