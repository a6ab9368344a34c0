# A thin device is deleted in mid-merge and the pool filled again: what is held is merged all the same.
# tier: ci
make_origin 16M
make_pool --data 24M
make_thin 1 16M
write "$mapper/thin1" 1 0 10M
remember "$mapper/thin1"
deactivate thin1
reserve
in_mid_merge by_path merge 1 --rate-limit 4M --checkpoint-interval 0.2
pool_message "delete 1"
make_thin 2 16M -
write "$mapper/thin2" 2 0 13M
expect_end 0
expect_merged
