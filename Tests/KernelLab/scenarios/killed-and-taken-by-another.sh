# Killed, and the metadata snapshot was taken anew by somebody else since: that one is never released.
make_origin 16M
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
deactivate thin1
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 16M)
in_mid_merge by_name merge "${by[@]}" --rate-limit 3M --checkpoint-interval 0.2
stop_it KILL
release
make_thin 2 16M -
write "$mapper/thin2" 2 0 1M
deactivate thin2
pool_message "delete 2"
reserve
block=$(held)
remember_origin
expect_exit 5 by_name plan "${by[@]}"
expect_exit 5 by_name merge "${by[@]}"
expect_says 'release_metadata_snap'
[[ $(held) == "$block" ]] || fail 'it was released'
expect_untouched
release
expect_exit 0 by_name merge "${by[@]}"
expect_settled
