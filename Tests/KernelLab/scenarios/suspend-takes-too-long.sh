# A write to the thin device takes long, and the suspend waits for it: it is could not be suspended within 5 s, and nothing is changed.
# tier: full
make_origin 8M
loop slow 32M
# Reads and flushes take no time.
dm create slow --table "0 65536 delay $device 0 0 $device 0 30000 $device 0 0"
loop pool-meta 4M
dm create pool --table "0 65536 thin-pool $device $mapper/slow 128 0 1 skip_block_zeroing"
make_thin 1 8M
remember_origin
dd if=/dev/zero of="$mapper/thin1" bs=64k count=1 seek=1 oflag=direct &
writer=$!
sleep 1
expect_exit 5 by_name merge thin1 --snapshot
expect_says 'could not be suspended within 5 s'
kill -0 "$writer" || fail 'the write has ended'
[[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]] || fail 'it is suspended'
wait "$writer"
expect_untouched
expect_settled
expect_ids 1
