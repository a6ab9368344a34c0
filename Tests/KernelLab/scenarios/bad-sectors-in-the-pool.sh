# Unreadable sectors in the pool's data: all else is merged, status 3; once they can be read, resume finishes.
# tier: ci
make_origin 12M
loop data 16M
under=$device
sectors=$(sectors_of "$under")
healthy="0 $sectors linear $under 0"
dm create data --uuid LAB-data --table "$healthy"
make_pool --data-device "$mapper/data"
make_thin 1 12M
# One block after the other, so that data block and thin block have one number.
write "$mapper/thin1" 1 0 8M 64k
remember "$mapper/thin1"
remember_origin
deactivate thin1
reserve
# 8 sectors in block 5, and the last sector of block 77 with the first of block 78.
first=$((5 * 128 + 16)) second=$((78 * 128 - 1))
retable data "0 $first linear $under 0
$first 8 error
$((first + 8)) $((second - first - 8)) linear $under $((first + 8))
$second 2 error
$((second + 2)) $((sectors - second - 2)) linear $under $((second + 2))"
expect_exit 3 by_path merge 1
expect_says 'unreadable|could not be read|cannot be read'
expect_exit 3 resume "$(the_journal)"
cp expected partly
dd if=untouched of=partly bs=512 skip="$first" seek="$first" count=8 conv=notrunc status=none
dd if=untouched of=partly bs=512 skip="$second" seek="$second" count=2 conv=notrunc status=none
expect_equal partly "$origin"
retable data "$healthy"
expect_exit 0 resume "$(the_journal)"
expect_merged
expect_exit 0 by_path verify 1
