# Two merges of one pool at once: the second ends with status 5, and does not disturb the first.
# tier: full
make_origin 16M
first=$origin
make_origin 8M other
second=$origin
make_pool --data 32M
make_thin 1 16M "$first"
write "$mapper/thin1" 1 0 12M
make_thin 2 8M "$second"
write "$mapper/thin2" 2 0 4M
origin=$first
remember "$mapper/thin1"
deactivate thin1 thin2
in_mid_merge by_name merge --pool pool --dev-id 1 --origin "$first" --thin-size 16M --other-users-ok \
  --rate-limit 3M --checkpoint-interval 0.2
by=(--pool pool --dev-id 2 --origin "$second" --thin-size 8M)
expect_exit 5 by_name merge "${by[@]}" --other-users-ok
expect_exit 5 by_name plan "${by[@]}" --other-users-ok
expect_exit 5 by_name verify "${by[@]}"
expect_held
expect_end 0
expect_merged
expect_settled
expect_exit 0 by_name merge "${by[@]}" --other-users-ok
