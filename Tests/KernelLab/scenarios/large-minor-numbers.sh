# Devices whose minor numbers are above 255 are found all the same, also as /dev/dm-N.
# tier: ci
make_origin 8M
major=$(awk '$2 == "device-mapper" { print $1 }' /proc/devices)
dm create base --major "$major" --minor 300 --table "0 16384 linear $origin 0"
origin=$mapper/base
loop data 16M
dm create data --major "$major" --minor 4097 --table "0 32768 linear $device 0"
make_pool --data-device "$mapper/data"
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
deactivate thin1
activate 1 8M "$origin" --readonly --major "$major" --minor 70000
expect_exit 0 by_name plan /dev/dm-70000
expect_exit 0 by_name merge thin1
expect_merged
expect_settled
