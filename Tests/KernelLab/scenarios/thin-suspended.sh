# A thin device that somebody has suspended is not resumed behind his back: refused, and it stays suspended.
# tier: ci
make_origin 8M
make_pool --data 32M
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
remember_origin
dm suspend thin1
for option in --snapshot --reactivate; do
  expect_exit 5 by_name merge thin1 "$option"
  expect_says 'the thin device is suspended'
  [[ $(dmsetup info -c --noheadings -o suspended thin1) == Suspended ]] || fail 'it was resumed'
done
dm resume thin1
expect_untouched
expect_settled
expect_exit 0 by_name merge thin1 --reactivate
expect_merged
