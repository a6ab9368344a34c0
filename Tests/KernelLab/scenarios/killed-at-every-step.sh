# Killed before and after each change that it makes to device-mapper, the tool leaves nothing that the next run does not tidy up.
# time limit: 300
make_origin 4M
make_pool --data 32M
make_thin 1 4M
write "$mapper/thin1" 1 0 1M
table=$(dm table thin1)
is_active() { [[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]]; }
merge=(thin-merge merge thin1 --yes --progress none)

# Runs it with a system call in which it is killed, then again: killed_at OPTION NUMBER
killed_at() {
  write "$mapper/thin1" "$2" 1M 512k
  remember "$mapper/thin1"
  if [[ $1 == --snapshot ]]; then exec 7<"$mapper/thin1"; fi
  expect_exit 137 strace -o /dev/null -e trace=ioctl \
    -e inject=ioctl:signal=KILL:when="$2" "${merge[@]}" "$1"
  if [[ $1 == --snapshot ]]; then wait_until is_active; fi
  # Named by its number: it may be removed.
  expect_exit 0 by_name plan --pool pool --dev-id 1 --origin "$origin" --thin-size 4M --output json
  exec 7<&-
  [[ $(dm table thin1) == "$table" ]] || fail 'the thin device was not put back'
  expect_not_held
  expect_exit 0 "${merge[@]}" "$1"
  expect_merged
  expect_settled
  expect_ids 1
}

for option in --reactivate --snapshot; do
  strace -o calls -e trace=ioctl "${merge[@]}" "$option"
  expect_settled
  steps=$(grep -n -E 'DM_(DEV_SUSPEND|DEV_CREATE|DEV_REMOVE|TABLE_LOAD|TARGET_MSG)' calls | cut -d : -f 1)
  echo "$option: steps $(paste -sd ' ' <<<"$steps") of $(grep -c ioctl calls)"
  for step in $steps; do
    for at in "$step" $((step + 1)); do
      [[ $at == "${last:-}" ]] || killed_at "$option" "$at"
      last=$at
    done
  done
done
