# In use, with --snapshot: what is merged is the device at one moment, while it goes on being written.
# tier: ci
# time limit: 180
#
# The writes come one after the other in an order that can be repeated, so the origin must be what
# it was after some number of them: a later one without an earlier one would show.
make_origin 16M
make_pool --data 64M
make_thin 1 16M
write "$mapper/thin1" 1 2M 4M
remember "$mapper/thin1"
labtool scatter "$mapper/thin1" 9 9 0 4096 >written &
writer=$!
sleep 1
expect_exit 0 by_name merge thin1 --snapshot
kill -0 "$writer" || fail 'the writer ended'
expect_settled
expect_ids 1
[[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]] || fail 'it is suspended'
kill -TERM "$writer"
wait "$writer"
cut=$(labtool newest "$origin" 9)
echo "merged after $cut of $(<written) writes"
((cut > 0 && cut < $(<written))) || fail 'not a moment between begin and end'
labtool scatter expected 9 9 "$cut" 4096
expect_merged
