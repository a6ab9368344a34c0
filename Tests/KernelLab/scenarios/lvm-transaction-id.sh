# LVM refuses a pool for its transaction id: its hidden volumes, activated by themselves, are merged onto the read-only origin, and finished later.
# tier: full
# time limit: 240
loop pv 160M
mkdir -p /run/lock/lvm
pvcreate -q "$device"
vgcreate -q -s 1M vg "$device"
lvcreate -q -y -Wn -Zn -L 16M -n vm1 vg
labtool fill /dev/vg/vm1 "$origin_tag"
lvcreate -q -y -L 48M --poolmetadatasize 4M -c 64k -T vg/pool -Zn
lvconvert -q -y --type thin --thinpool vg/pool --originname base vg/vm1
lvchange -q -ay -K vg/vm1
scatter /dev/vg/vm1 1 60
lvchange -q -ay vg/base
origin=/dev/vg/base
remember /dev/vg/vm1
remember_origin
id=$(lvs --noheadings -o thin_id vg/vm1 | tr -d ' ')
transaction=$(pool_status vg-pool-tpool 1)
dm message vg-pool-tpool 0 "set_transaction_id $transaction $((transaction + 2))"
lvchange -q -an vg/vm1
lvchange -q -an vg/pool
lvchange -q -an vg/base
if lvchange -q -ay vg/vm1; then fail 'LVM activates it'; fi
lvchange -q -y -ay vg/pool_tmeta
lvchange -q -y -ay vg/pool_tdata
lvchange -q -ay vg/base
metadata=/dev/vg/pool_tmeta
data=/dev/vg/pool_tdata
expect_exit 2 by_path merge "$id" --inactive
expect_says '[-]-make-origin-writable'
expect_untouched
expect_exit 0 by_path merge "$id" --inactive --make-origin-writable
expect_merged
[[ $(blockdev --getro /dev/vg/base) == 1 ]] || fail 'the origin is writable'
dmsetup info -c --noheadings -o name,readonly | grep -E '^vg-base' >layers
cat layers
! grep -v Read-only layers || fail 'a layer of the origin is writable'
# The repair that users are told: LVM gets the pool's number. The finished merge is compared and handed over by name.
lvchange -q -an vg/base
lvchange -q -an vg/pool_tmeta vg/pool_tdata
lvm vgcfgbackup -q -f backup vg
sed -i "s/transaction_id = $transaction\$/transaction_id = $((transaction + 2))/" backup
lvm vgcfgrestore -q -y --force -f backup vg
expect_exit 0 thin-merge list
expect_says '^vg/vm1 +vg/base .* (finished|verified)$'
expect_exit 0 by_name merge vg/vm1 --finish --rename
expect_nothing_active
expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
expect_base_merged vm1
lvcreate -q -y -V 8M --thinpool vg/pool -n another
