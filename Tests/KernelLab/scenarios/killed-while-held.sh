# Killed, the tool leaves its metadata snapshot held; the next run of any verb, plan included, releases it.
# tier: full
make_origin 16M
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
deactivate thin1
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 16M)
in_mid_merge by_name merge "${by[@]}" --rate-limit 3M --checkpoint-interval 0.2
stop_it KILL
expect_held
expect_exit 0 by_name plan "${by[@]}"
expect_snapshot_kept
in_mid_merge by_name merge "${by[@]}" --rate-limit 3M --checkpoint-interval 0.2
stop_it KILL
expect_held
expect_exit 0 by_name merge "${by[@]}"
expect_merged
expect_settled
