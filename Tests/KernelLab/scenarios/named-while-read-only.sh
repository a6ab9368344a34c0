# Named by its thin device alone, which is active read-only: merged meanwhile, and what it shows never changes.
# tier: ci
make_origin 16M
make_pool
make_thin 1 16M
scatter "$mapper/thin1" 1 60
write "$mapper/thin1" 2 4M 2M
remember "$mapper/thin1"
deactivate thin1
activate 1 16M "$origin" --readonly
number=/dev/dm-$(dmsetup info -c --noheadings -o minor thin1)
for name in "$mapper/thin1" thin1 "$number"; do
  expect_exit 0 by_name plan "$name"
  expect_settled
done
expect_exit 1 by_name verify thin1
expect_settled
expect_exit 0 by_name merge thin1
expect_settled
expect_merged
expect_equal expected "$mapper/thin1"
expect_exit 0 by_name verify "$mapper/thin1"
expect_settled
