# Killed twice in mid-merge and resumed, each time from its journal; stopped once by a signal.
make_origin 24M
make_pool --data 32M
make_thin 1 24M
write "$mapper/thin1" 1 0 20M
scatter "$mapper/thin1" 2 20
remember "$mapper/thin1"
deactivate thin1
reserve
in_mid_merge by_path merge 1 --rate-limit 3M --checkpoint-interval 0.2
stop_it KILL
expect_not_merged_yet
before=$(done_bytes "$(the_journal)")
in_mid_merge resume "$(the_journal)" --rate-limit 3M --checkpoint-interval 0.2
stop_it KILL
(($(done_bytes "$(the_journal)") >= before)) || fail 'the journal fell behind'
in_mid_merge resume "$(the_journal)" --rate-limit 3M --checkpoint-interval 0.2
stop_it INT
((status == 3)) || fail "SIGINT: exit status $status"
expect_exit 0 resume "$(the_journal)"
expect_merged
expect_exit 0 by_path verify 1
