# The thin device is merged itself and deleted in mid-merge, and the merge stops: the only copy stays held, and resume finishes.
# tier: ci
make_origin 16M
sectors=$(sectors_of "$origin")
healthy="0 $sectors linear $origin 0"
sick="0 $sectors flakey $origin 0 0 3600 1 error_writes"
dm create origin --uuid LAB-origin --table "$healthy"
origin=$mapper/origin
make_pool --data 24M
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 16M --no-snapshot)
for way in INT KILL EIO; do
  make_thin 1 16M
  write "$mapper/thin1" "$((${#way} + 1))" 0 12M
  remember "$mapper/thin1"
  deactivate thin1
  in_mid_merge by_name merge "${by[@]}" --rate-limit 3M --checkpoint-interval 0.2
  pool_message 'delete 1'
  case $way in
  EIO)
    retable origin "$sick"
    expect_end 3
    retable origin "$healthy"
    ;;
  KILL)
    stop_it KILL
    # The next run of any verb does not release it either.
    expect_exit 0 by_name plan "${by[@]}"
    ;;
  *)
    kill "-$way" "$running"
    expect_end 3
    ;;
  esac
  expect_says 'dev 1 was deleted before its merge finished; .* is the only copy and stays held'
  expect_held
  expect_not_merged_yet
  expect_exit 0 resume "$(the_journal)"
  expect_merged
  expect_settled
  forget_merges
done
