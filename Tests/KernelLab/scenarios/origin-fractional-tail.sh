# Ends that are no multiple of the block, nor of 4096 bytes: of the origin, and of the thin device.
# tier: full
id=0
make_pool --data 32M
for odd in 1024 1536 40448; do
  make_origin $((8 * 1048576 + odd)) "origin$odd"
  # The thin device ends with its origin, before it, and behind it.
  for end in $odd 512 49152; do
    id=$((id + 1))
    size=$((8 * 1048576 + end))
    make_thin "$id" "$size"
    scatter "$mapper/thin$id" "$id" 20
    labtool fill "$mapper/thin$id" 7 $((size - 512)) 512
    remember "$mapper/thin$id"
    deactivate "thin$id"
    reserve
    expect_exit 0 by_path merge "$id" --thin-size "$size" --past-end clip
    release
    expect_merged
    pool_message "delete $id"
    forget_merges
  done
done
