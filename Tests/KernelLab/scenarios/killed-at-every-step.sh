# With --snapshot and --make-origin-writable, killed before and after each change to device-mapper: the next run resumes.
# tier: full
# time limit: 300
make_origin 4M
dm create base --readonly --table "0 8192 linear $origin 0"
origin=$mapper/base
make_pool --data 32M
make_thin 1 4M
write "$mapper/thin1" 1 0 1M
table=$(dm table thin1)
: "${way:=--snapshot}"
read -r -a options <<<"$way --make-origin-writable"
is_active() { [[ $(dmsetup info -c --noheadings -o suspended thin1) == Active ]]; }
is_read_only() {
  [[ $(dmsetup info -c --noheadings -o readonly base) == Read-only && -z $(dmsetup table --inactive base) ]]
}
by_number=(--pool pool --dev-id 1 --origin "$origin" --thin-size 4M)
kills=0

# Kills the tool at a change, and checks that the next run puts all back and resumes:
# killed_at before|after NUMBER
#
# Returns 1 where there is no change of that number.
killed_at() {
  local status=0 name=thin1
  kills=$((kills + 1))
  # The merge before is finished, and a finished merge is only compared.
  forget_merges
  write "$mapper/thin1" $((kills + 1)) 1M 512k
  remember "$mapper/thin1"
  # Open, it needs consent.
  if [[ $way == --snapshot ]]; then exec 7<"$mapper/thin1"; fi
  LD_PRELOAD=/lab/labkill.so LAB_KILL=$1:$2 by_name merge thin1 "${options[@]}" >output 2>&1 || status=$?
  cat output
  if [[ $way == --snapshot ]]; then wait_until is_active; fi
  if ((status == 137 && kills % 3 == 0)); then
    # A verb that only reads leaves anything that is not in its way.
    expect_exit 0 by_name devices --pool pool
    expect_not_held
    expect_exit 0 by_name settle
    is_read_only || fail 'the origin stays writable'
  fi
  if ((status == 137)); then
    # Removed, or without a table yet, it is not found by its name.
    [[ -n $(dm table thin1) ]] || name=''
    if [[ -n $name ]]; then
      expect_exit 0 by_name merge thin1 "${options[@]}"
    else
      expect_exit 0 by_name merge "${by_number[@]}" "${options[@]}"
    fi
  fi
  exec 7<&-
  expect_merged
  expect_settled
  [[ $(dm table thin1) == "$table" ]] || fail 'the thin device is not what it was'
  is_active || fail 'the thin device is suspended'
  is_read_only || fail 'the origin stays writable'
  ((status == 137)) && return
  ((status == 0)) || fail "exit status $status"
  return 1
}

step=1
while killed_at before "$step" && killed_at after "$step"; do
  step=$((step + 1))
done
echo "$way: $((step - 1)) changes"
# At least: suspend, create_snap, resume, reserve, release, delete; or remove, create, load, resume,
# and so on.
((step >= 7)) || fail 'it makes more changes than that'
expect_ids 1
