# A metadata snapshot held by hand, and blocks mapped in a thin device that is merged itself: resume refuses it as merge does, status 5.
# tier: ci
make_origin 16M
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 10M
deactivate thin1
reserve
in_mid_merge by_path merge 1 --no-snapshot --rate-limit 3M --checkpoint-interval 0.2
stop_it INT
((status == 3)) || fail "exit status $status"
activate 1 16M
write "$mapper/thin1" 2 10M 2M
remember "$mapper/thin1"
deactivate thin1
expect_exit 5 by_path merge 1 --no-snapshot
expect_says "older than the pool's latest changes"
expect_exit 5 resume "$(the_journal)"
expect_says "older than the pool's latest changes"
expect_not_merged_yet
# Of the device as it is now it is another merge, which has to be asked for.
release
expect_exit 4 resume "$(the_journal)"
expect_not_merged_yet
expect_exit 0 by_path merge 1 --restart
expect_merged
expect_settled
