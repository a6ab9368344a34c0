# A lying disk: it confirms writes and flushes that are lost with the power. Resume reads them again and mends them.
make_origin 16M
sectors=$(sectors_of "$origin")
healthy="0 $sectors linear $origin 0"
lying="0 $sectors flakey $origin 0 0 3600 1 drop_writes"
dm create origin --uuid LAB-origin --table "$healthy"
origin=$mapper/origin
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
deactivate thin1
reserve
in_mid_merge by_path merge 1 --rate-limit 4M --checkpoint-interval 0.2
retable origin "$lying"
before=$(done_bytes "$(the_journal)")
wait_until has_done "$((before + 1048576))"
stop_it KILL
retable origin "$healthy"
expect_exit 0 resume "$(the_journal)"
expect_merged
