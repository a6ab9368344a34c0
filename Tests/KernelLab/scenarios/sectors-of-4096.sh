# An origin with sectors of 4096 bytes under a thin device with sectors of 512 bytes.
# tier: ci
loop origin 8M --sector-size 4096
origin=$device
labtool fill "$origin" "$origin_tag"
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40 512
remember "$mapper/thin1"
deactivate thin1
reserve
expect_exit 0 by_path merge 1
expect_merged
