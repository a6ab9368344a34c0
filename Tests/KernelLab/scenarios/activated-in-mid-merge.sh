# While a merge has the origin no thin device on it can be activated; one without its origin changes nothing, or is noticed.
# tier: ci
make_origin 16M
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
deactivate thin1
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 16M)
in_mid_merge by_name merge "${by[@]}" --rate-limit 3M --checkpoint-interval 0.2
! activate 1 16M || fail 'it was activated on an origin that is being written'
expect_exit 5 by_name merge "${by[@]}"
expect_says 'pool pool is in use.*another thin-merge run holds its lock'
activate 1 16M -
write "$mapper/thin1" 2 2M 1M
deactivate thin1
expect_end 0
expect_says 'Keep the thin device: it was written to after the merge read it'
expect_merged
expect_settled
expect_ids 1
# Merged itself, it must not be active.
activate 1 16M
write "$mapper/thin1" 3 0 12M
remember "$mapper/thin1"
deactivate thin1
forget_merges
in_mid_merge by_name merge "${by[@]}" --no-snapshot --rate-limit 3M --checkpoint-interval 0.2
activate 1 16M -
expect_end 3
expect_says "the thin device was activated or changed during the merge, $mapper/thin1"
expect_not_held
deactivate thin1
expect_exit 0 resume "$(the_journal)"
expect_merged
expect_settled
# Written to in its place and not active any more at the end: what was read before may be the old.
forget_merges
in_mid_merge by_name merge "${by[@]}" --no-snapshot --rate-limit 3M --checkpoint-interval 0.2
activate 1 16M -
write "$mapper/thin1" 4 0 12M
deactivate thin1
expect_end 3
# A checkpoint may have looked while it was active.
expect_says 'the thin device (may have been activated|was activated or changed) during the merge'
expect_not_held
activate 1 16M
remember "$mapper/thin1"
deactivate thin1
expect_not_merged_yet
expect_exit 0 resume "$(the_journal)"
expect_merged
expect_settled
