# The origin is a partition: all other bytes of its disk stay unchanged.
# tier: ci
loop disk 24M --partscan
disk=$device
labtool fill "$disk" "$origin_tag"
addpart "$disk" 1 2048 16391
origin=${disk}p1
make_pool
make_thin 1 $((16391 * 512))
scatter "$mapper/thin1" 1 40
labtool fill "$mapper/thin1" 3 $((16390 * 512)) 512
remember "$mapper/thin1"
deactivate thin1
labtool expectation "$disk" "$disk" disk.expected
dd if=expected of=disk.expected bs=512 seek=2048 conv=notrunc status=none
expect_exit 0 by_name merge --pool pool --dev-id 1 --origin "$origin" --thin-size $((16391 * 512))
expect_merged
expect_equal disk.expected "$disk"
expect_settled
