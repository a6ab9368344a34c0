# An internal snapshot is merged while the device it was taken of goes on being written and discarded.
# tier: full
make_origin 16M
make_pool --data 48M
make_thin 1 16M
scatter "$mapper/thin1" 1 60
snapshot 2 1
activate 2 16M
remember "$mapper/thin2"
deactivate thin2
# Active without its origin: an active device on the origin would keep it claimed.
deactivate thin1
activate 1 16M -
labtool scatter "$mapper/thin1" 9 9 0 4096 &
writer=$!
sleep 0.5
reserve
block=$(held)
# The pool's mappings have changed since. A write would not do: the blocks may all be mapped by now.
discard "$mapper/thin1" 8M 4M
in_mid_merge by_path merge 2 --metadata-snap "$block" --rate-limit 2M --checkpoint-interval 0.2
discard "$mapper/thin1" 2M 6M
expect_end 0
kill -TERM "$writer"
wait "$writer"
expect_merged
expect_exit 0 by_path verify 2 --metadata-snap "$block"
