# The pool's own devices, and those that lie over or under them, are refused as an origin.
# tier: ci
loop disk 16M
disk=$device
dm create data --table "0 32768 linear $disk 0"
make_origin 8M
make_pool --data-device "$mapper/data"
make_thin 1 8M
make_thin 2 8M -
scatter "$mapper/thin1" 1 30
deactivate thin1
reserve
# refused DEVICE STATUS REASON
refused() {
  origin=$1
  labtool expectation "$origin" "$origin" before
  expect_exit "$2" by_path merge 1 --past-end clip
  expect_says "$3"
  expect_equal before "$origin"
}
refused "$data" 2 "it is the pool's data device"
refused "$disk" 2 "it is the pool's data device"
refused "$metadata" 2 "it is the pool's metadata device"
refused "$mapper/pool" 2 "it is the pool's (metadata|data) device"
refused "$mapper/thin2" 2 "it is the pool's (metadata|data) device"
