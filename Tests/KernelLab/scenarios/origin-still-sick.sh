# Resumed while the origin still fails, a half merged one is stopped again, with status 3, not refused.
# tier: full
make_origin 8M
sectors=$(sectors_of "$origin")
healthy="0 $sectors linear $origin 0"
dm create origin --uuid LAB-origin --table "$healthy"
under=$origin origin=$mapper/origin
make_pool
make_thin 1 8M
write "$mapper/thin1" 1 0 6M
deactivate thin1
reserve
in_mid_merge by_path merge 1 --rate-limit 2M --checkpoint-interval 0.2
stop_it INT
retable origin "0 $sectors flakey $under 0 0 3600 1 error_writes"
expect_exit 3 resume "$(the_journal)"
expect_says 'Input/output error'
