# Killed before and after each change that it makes to device-mapper, the tool leaves nothing that the next run does not tidy up.
# time limit: 300
make_origin 4M
make_pool --data 32M
make_thin 1 4M
write "$mapper/thin1" 1 0 1M
table=$(dm table thin1)
is_active() { [[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]]; }
merge=(thin-merge merge thin1 --yes --progress none)
kills=0 told='' missed=''

# Runs it with a system call before which it is killed, then again: killed_at OPTION NUMBER
killed_at() {
  local status=0
  write "$mapper/thin1" "$2" 1M 512k
  remember "$mapper/thin1"
  # Open, there is no way but a snapshot.
  if [[ $1 == --snapshot ]]; then exec 7<"$mapper/thin1"; fi
  strace -f --seccomp-bpf -o /dev/null -e trace=ioctl -e inject=ioctl:signal=KILL:when="$2" "${merge[@]}" "$1" || status=$?
  # The last step may have none behind it.
  if ((status == 137)); then kills=$((kills + 1)); else
    ((status == 0)) || fail "exit status $status"
    missed+=" $2"
  fi
  if [[ $1 == --snapshot ]]; then wait_until is_active; fi
  if ((kills % 2)); then
    # Any verb will do. By its number: it may be removed.
    expect_exit 0 by_name plan --pool pool --dev-id 1 --origin "$origin" --thin-size 4M
    expect_not_held
  fi
  if [[ $1 == --reactivate ]] && ! dm table thin1; then
    expect_exit 0 by_name merge --pool pool --dev-id 1 --origin "$origin" --thin-size 4M "$1"
  else
    expect_exit 0 "${merge[@]}" "$1"
  fi
  exec 7<&-
  expect_merged
  expect_settled
  [[ $(dm table thin1) == "$table" ]] || fail 'the thin device is not what it was'
  is_active || fail 'the thin device is suspended'
}

for option in --reactivate --snapshot; do
  strace -f --seccomp-bpf -o calls -e trace=ioctl "${merge[@]}" "$option"
  expect_settled
  main=$(awk 'NR == 1 { print $1 }' calls)
  steps=$(grep "^$main " calls | grep -n -E 'DM_(DEV_SUSPEND|DEV_CREATE|DEV_REMOVE|TABLE_LOAD|TARGET_MSG)' | cut -d : -f 1)
  told+="$option: $(paste -sd ' ' <<<"$steps"); "
  last=0
  for step in $steps; do
    for at in "$step" $((step + 1)); do
      ((at == last)) || killed_at "$option" "$at"
      last=$at
    done
  done
  expect_ids 1
done
((kills >= 20)) || fail "only $kills kills: $told missed: $missed"
