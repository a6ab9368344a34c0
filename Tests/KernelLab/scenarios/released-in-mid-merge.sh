# Somebody releases the metadata snapshot in mid-merge and the blocks are used again: noticed, status 3, and made good by resume.
# tier: ci
make_origin 16M
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
deactivate thin1
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 16M)
in_mid_merge by_name merge "${by[@]}" --rate-limit 3M --checkpoint-interval 0.2
release
make_thin 2 16M -
write "$mapper/thin2" 2 0 8M
deactivate thin2
expect_end 3
expect_snapshot_kept
expect_exit 0 resume "$(the_journal)" --other-users-ok
expect_merged
expect_settled
