# With a udevd: a thin device is taken away and put back, and a snapshot made; names and cookies are in order.
# tier: ci
# boots: udev
make_origin 16M
dm create base --readonly --table "0 32768 linear $origin 0"
origin=$mapper/base
make_pool --data 48M
make_thin 1 16M
scatter "$mapper/thin1" 1 60
[[ -L $mapper/thin1 ]] || fail 'udev did not make the name: the lab is wrong'
table=$(dm table thin1)
# Each plan closes what udevd then probes.
for number in 1 2 3; do
  remember "$mapper/thin1"
  expect_exit 0 by_name plan thin1 --no-snapshot --reactivate --make-origin-writable
  expect_exit 0 by_name merge thin1 --no-snapshot --reactivate --make-origin-writable
  expect_merged
  expect_settled
  [[ $(dm table thin1) == "$table" && -L $mapper/thin1 ]] || fail 'it was not put back'
  [[ $(blockdev --getro "$origin") == 1 ]] || fail 'the origin is writable'
  expect_no_cookies
  write "$mapper/thin1" $((number + 1)) "${number}M" 1M
  forget_merges
done
remember "$mapper/thin1"
exec 7<"$mapper/thin1"
expect_exit 0 by_name merge thin1 --snapshot --make-origin-writable
exec 7<&-
expect_merged
expect_settled
expect_ids 1
expect_no_cookies
