# Blocks of 192 KiB, which is no power of two, and of 1 MiB.
# tier: ci
for block in 192k 1M; do
  make_origin 24M "origin-$block"
  make_pool --name "pool-$block" --block "$block" --data 48M
  pool=pool-$block
  make_thin 1 24M
  scatter "$mapper/thin1" 1 12
  write "$mapper/thin1" 2 5M 3M
  discard "$mapper/thin1" 6M 1M
  remember "$mapper/thin1"
  deactivate thin1
  reserve
  expect_exit 0 by_path merge 1
  expect_merged
done
