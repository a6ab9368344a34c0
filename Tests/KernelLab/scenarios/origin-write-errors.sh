# Writes to the origin fail from some moment on: status 3; once it is healed, resume goes on and finishes.
# tier: ci
make_origin 16M
sectors=$(sectors_of "$origin")
healthy="0 $sectors linear $origin 0"
sick="0 $sectors flakey $origin 0 0 3600 1 error_writes"
dm create origin --uuid LAB-origin --table "$healthy"
origin=$mapper/origin
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
deactivate thin1
reserve
in_mid_merge by_path merge 1 --rate-limit 4M --checkpoint-interval 0.2
retable origin "$sick"
expect_end 3
expect_says 'Input/output error|I/O error'
expect_says 'resume'
expect_not_merged_yet
retable origin "$healthy"
expect_exit 0 resume "$(the_journal)"
expect_merged
