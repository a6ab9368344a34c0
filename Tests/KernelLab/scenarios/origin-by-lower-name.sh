# A merge onto a linear device is found by the disk that it shows; and a loop device over the file of that disk is noticed.
# tier: full
loop origin 16M
disk=$device
file=$work/origin.img
dm create base --table "0 $(sectors_of "$disk") linear $disk 0"
origin=$mapper/base
labtool fill "$origin" "$origin_tag"
make_pool --data 64M
make_thin 1 16M
write "$mapper/thin1" 1 0 12M
remember "$mapper/thin1"
deactivate thin1
make_thin 2 16M -
write "$mapper/thin2" 2 0 1M
deactivate thin2
by=(--pool pool --thin-size 16M --other-users-ok)
other=$(losetup --show --find "$file")
expect_exit 5 by_name merge "${by[@]}" --dev-id 1 --origin "$origin"
expect_says "$other maps the same bytes"
losetup -d "$other"
in_mid_merge by_name merge "${by[@]}" --dev-id 1 --origin "$origin" --rate-limit 3M --checkpoint-interval 0.2
stop_it INT
((status == 3)) || fail "exit status $status"
deactivate base
expect_exit 4 by_name merge "${by[@]}" --dev-id 2 --origin "$disk"
expect_says 'unfinished'
dm create base --table "0 $(sectors_of "$disk") linear $disk 0"
expect_exit 0 resume "$(the_journal)"
expect_merged
expect_settled
