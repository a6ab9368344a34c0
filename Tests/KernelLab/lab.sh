# Functions for the scenarios. Sizes are in bytes, and `64k` or `8M` will do.
#
# A pool is named `pool`, its thin devices `thin1`, `thin2` … by their number, and the external
# origin is $origin. Everything lies on loop devices over files in memory, which take discards, and
# is taken down by the lab when the scenario ends.
# shellcheck shell=bash disable=SC2034,SC2119,SC2120 # the variables are for the scenarios

readonly work=/lab/work
readonly mapper=/dev/mapper
readonly journals=/var/lib/thin-merge
# The tag names the writer of a sector; a comparison that fails shows it.
readonly origin_tag=0x0419 stale_tag=0x57a1e

fail() {
  { set +x; } 2>/dev/null
  printf 'FAILED: %s\n' "$*"
  # Not what the trap for errors would tell: it has been told.
  trap - ERR
  exit 1
}

# Without a process of its own, each of which takes long in an emulated machine: bytes SIZE VARIABLE
bytes() {
  local -n into=$2
  case $1 in
  *[kK]) into=$((${1%?} << 10)) ;;
  *M) into=$((${1%?} << 20)) ;;
  *) into=$(($1)) ;;
  esac
}
sectors_of() { blockdev --getsz "$1"; }

dm() { dmsetup ${DM_DISABLE_UDEV:+--noudevsync} "$@"; }

# Sets $device to a new loop device: loop NAME SIZE [OPTION…]
loop() {
  local size
  bytes "$2" size
  truncate -s "$size" "$work/$1.img"
  device=$(losetup --show --find "${@:3}" "$work/$1.img")
}

# Sets $origin, filled: make_origin SIZE [NAME]
make_origin() {
  loop "${2:-origin}" "$1"
  origin=$device
  labtool fill "$origin" "$origin_tag"
}

# make_pool [--block SIZE] [--data SIZE] [--data-device PATH] [--meta SIZE] [--meta-device PATH]
# [--name NAME] [FEATURE…]
make_pool() {
  local block=64k data_size=16M meta_size=4M name=pool
  while [[ ${1:-} == --* ]]; do
    case $1 in
    --block) block=$2 ;;
    --data) data_size=$2 ;;
    --data-device) data=$2 data_size='' ;;
    --meta) meta_size=$2 ;;
    --meta-device) metadata=$2 meta_size='' ;;
    --name) name=$2 ;;
    esac
    shift 2
  done
  if [[ -n $meta_size ]]; then
    loop "$name-meta" "$meta_size"
    metadata=$device
  fi
  if [[ -n $data_size ]]; then
    loop "$name-data" "$data_size"
    data=$device
  fi
  # Blocks that nobody wrote must not look like zeros.
  labtool fill "$data" "$stale_tag"
  bytes "$block" block
  pool_table="0 $(sectors_of "$data") thin-pool $metadata $data $((block / 512)) 0 $# $*"
  dm create "$name" --table "$pool_table"
}

pool_message() { dm message "${pool:-pool}" 0 "$*"; }

# Activates a device of the pool: activate ID SIZE [ORIGIN or -] [OPTION of dmsetup create…]
activate() {
  local from=${3:-$origin} size
  [[ $from != - ]] || from=''
  bytes "$2" size
  dm create "thin$1" "${@:4}" --table "0 $((size / 512)) thin $mapper/${pool:-pool} $1 $from"
}

# make_thin ID SIZE [ORIGIN or -] [OPTION…]
make_thin() {
  pool_message "create_thin $1"
  activate "$@"
}

# Of an active device, suspended for as long as it takes: snapshot NEW-ID OF-ID
snapshot() {
  dm suspend "thin$2"
  pool_message "create_snap $1 $2"
  dm resume "thin$2"
}

deactivate() { dm remove --retry "$@"; }
reserve() { pool_message reserve_metadata_snap; }
release() { pool_message release_metadata_snap; }

# write DEVICE TAG OFFSET LENGTH [REQUEST]
write() {
  local offset length request
  bytes "$3" offset
  bytes "$4" length
  bytes "${5:-1M}" request
  labtool fill "$1" "$2" "$offset" "$length" "$request"
}
# scatter DEVICE TAG COUNT [LENGTH]: at places that are the same each time
scatter() {
  local length
  bytes "${4:-4k}" length
  labtool scatter "$1" "$2" "$2" "$3" "$length"
}
# discard DEVICE OFFSET LENGTH
discard() {
  local offset length
  bytes "$2" offset
  bytes "$3" length
  blkdiscard --offset "$offset" --length "$length" "$1"
}

# The volume group `vg` with the thin volume `vm1` of the pool `pool` on its external origin `base`, all inactive, and
# what `base` must be after a merge: make_volumes [LVCREATE-OPTION-FOR-BASE…]
make_volumes() {
  make_group
  lvcreate -q -y -Wn -Zn -L 16M "$@" -n base vg
  labtool fill /dev/vg/base "$origin_tag"
  make_vm1
}
make_group() {
  loop pv 96M
  local first=$device
  loop pv2 96M
  mkdir -p /run/lock/lvm
  pvcreate -q "$first" "$device"
  vgcreate -q -s 1M vg "$first" "$device"
}
# Pool and thin volume, where `base` is active and filled: make_vm1 [POOL-SIZE]
make_vm1() {
  lvcreate -q -y -L "${1:-32M}" --poolmetadatasize 4M -c 64k -T vg/pool -Zn
  lvchange -q -an vg/base
  lvchange -q -pr vg/base
  lvcreate -q -y -s --thinpool vg/pool -n vm1 vg/base
  change_volume 1
  lvchange -q -an vg/pool
}
# Writes to `vm1` with a tag of its own, and keeps what `base` must be then; both are inactive afterwards.
change_volume() {
  lvchange -q -ay -K vg/vm1 vg/base
  scatter /dev/vg/vm1 "$1" 40
  write /dev/vg/vm1 "$1" 4M 2M
  remember /dev/vg/vm1 /dev/vg/base
  lvchange -q -an vg/vm1 vg/base
}
# base, activated for the look, is what was kept.
expect_base_merged() {
  local name=${1:-base} before
  before=$(active_volumes)
  lvchange -q -ay -K "vg/$name"
  expect_merged "/dev/vg/$name"
  [[ " $before " == *" $name "* ]] || lvchange -q -an "vg/$name"
}
# The active volumes of the group, in a line.
active_volumes() {
  lvs --noheadings -o lv_name,lv_active vg | awk '$2 == "active" { print $1 }' | sort | paste -sd ' '
}
# The mapped devices of the group, LVM's layers and a pool's hidden volumes among them.
volume_devices() { dmsetup ls | awk '/^vg-/ { print $1 }' | sort | paste -sd ' '; }
expect_nothing_active() { [[ -z $(volume_devices) ]] || fail "there are $(volume_devices)"; }
# LVM finds nothing wrong, and has these volumes: expect_volumes NAME:ATTRIBUTES…
expect_volumes() {
  local complaints found
  complaints=$(lvm vgck vg 2>&1 && lvs -a vg 2>&1 >/dev/null) || fail "LVM says of its group: $complaints"
  [[ -z $complaints ]] || fail "LVM says of its group: $complaints"
  found=$(lvs --noheadings -o lv_name,lv_attr vg | awk '{ print $1 ":" $2 }' | sort | paste -sd ' ')
  [[ $found == "$*" ]] || fail "the group has $found, not $*"
}
# The group and its disks go, so that there can be another one.
remove_volumes() {
  vgchange -q -an vg
  lvm vgremove -q -ff -y vg
  losetup -D
  rm -f "$work"/pv.img "$work"/pv2.img
  forget_merges
}

# Keeps what the kernel reads from a thin device, and behind its end from the origin: this is what
# the origin must be after a merge. remember THIN [ORIGIN]
remember() { labtool expectation "$1" "${2:-$origin}" "$work/expected"; }
# Records the origin, to be compared later.
remember_origin() { labtool expectation "$origin" "$origin" "$work/untouched"; }

expect_equal() { labtool compare "$1" "$2" || fail "$2 is not what $1 says"; }
expect_merged() { expect_equal "$work/expected" "${1:-$origin}"; }
expect_untouched() { expect_equal "$work/untouched" "$origin"; }
expect_not_merged_yet() {
  ! labtool compare "$work/expected" "$origin" >/dev/null || fail 'the origin is merged already'
}

# Runs a command that must end with that status; its output is kept: expect_exit STATUS COMMAND…
expect_exit() {
  local wanted=$1 status=0
  shift
  "$@" >"$work/output" 2>&1 || status=$?
  cat "$work/output"
  ((status == wanted)) || fail "exit status $status, not $wanted: $*"
}
# A pattern in the output of the last command: expect_says PATTERN
expect_says() { grep -q -i -E -e "$1" "$work/output" || fail "its output does not say: $1"; }
expect_silent_about() { ! grep -q -i -E -e "$1" "$work/output" || fail "its output says: $1"; }

# A word of the pool's status, counted from 1 behind the target's name.
pool_status() { dm status "$1" | awk -v word="$2" '{ print $(word + 3) }'; }
held() { pool_status "${1:-${pool:-pool}}" 4; }
expect_held() { [[ $(held) != - ]] || fail 'no metadata snapshot is held'; }
# Nothing is left of what the tool did to the pool.
expect_settled() {
  expect_not_held
  local left=("$journals"/pools/*.json)
  [[ ! -e ${left[0]} ]] || { cat "${left[0]}"; fail 'the record of the pool is not settled'; }
}
# The pool has no traces of the tool except snapshots of thin devices, for merges to resume with.
expect_snapshot_kept() {
  expect_not_held
  local left=("$journals"/pools/*.json) record
  record=$(tr -d ' \n' <"${left[0]}")
  [[ $record == *'"madeWritable":[]'*'"removals":[]'*'"snapshots":['* && $record != *'"hold"'* &&
    $record != *'"hasBegun":false'* && $record != *'"mayBeSuspended":true'* ]] ||
    { cat "${left[0]}"; fail 'the record of the pool is not settled'; }
}
# The ids of the pool's devices, in a line; the tool draws those of its snapshots at random.
pool_ids() {
  thin-merge devices --pool "${pool:-pool}" --output json | sed -n 's/.*"dev_id" *: *\([0-9]*\).*/\1/p' |
    awk '{ print ($1 >= 16711680 ? "own" : $1) }' | paste -sd ' '
}
expect_ids() { [[ $(pool_ids) == "$*" ]] || fail "the pool has the devices $(pool_ids), not $*"; }
expect_not_held() { [[ $(held "$@") == - ]] || fail "the metadata snapshot at $(held "$@") is still held"; }

# Nothing still waits for udevd.
expect_no_cookies() { ! dmsetup udevcookies | grep -v '^Cookie' || fail 'a cookie is left'; }

# thin-merge with the devices given as paths: by_path VERB ID [OPTION…]
by_path() {
  local verb=$1 id=$2 more=()
  shift 2
  case $verb in
  merge) more=(--yes --verify --progress none) ;;
  verify) more=(--progress none) ;;
  esac
  ${launch:-} thin-merge "$verb" --metadata "$metadata" --data "$data" --dev-id "$id" --origin "$origin" \
    "${more[@]}" "$@"
}
# thin-merge with the devices found by the thin device's name: by_name VERB WORD…
by_name() {
  local verb=$1 more=()
  shift
  case $verb in
  merge) more=(--yes --verify --progress none) ;;
  verify) more=(--progress none) ;;
  esac
  ${launch:-} thin-merge "$verb" "$@" "${more[@]}"
}
resume() { ${launch:-} thin-merge resume --yes --progress none "$@"; }
the_journal() {
  local found=("$journals"/*.journal)
  [[ ${#found[@]} == 1 && -f ${found[0]} ]] || fail "not one journal: ${found[*]}"
  echo "${found[0]}"
}
# Has a merge begin as on a machine that has merged nothing yet.
forget_merges() {
  rm -f "$journals"/*.journal "$journals"/*.mark.* "$journals"/*.finished.*
  labtool forget "$work"/*.img
}
done_bytes() {
  thin-merge status "$1" --output json 2>/dev/null | sed -n 's/.*"done_bytes" *: *\([0-9]*\).*/\1/p'
}
has_done() { (($(done_bytes "$journals"/*.journal) >= $1)); }

# Puts another table under an active device: retable NAME TABLE
retable() {
  dm reload "$1" --table "$2"
  dm suspend "$1"
  dm resume "$1"
}

# Waits for what a command says to be true; the limit of the scenario ends a wait for ever.
wait_until() { until "$@"; do sleep 0.1; done 2>/dev/null; }
# Runs `by_path`, `by_name` or `resume` in the background and waits for progress in the journal:
# in_mid_merge COMMAND…
in_mid_merge() {
  { set +x; } 2>/dev/null
  local begun reached
  begun=$(done_bytes "$journals"/*.journal) || true
  reached=${begun:=0}
  # In place of the shell, so that a signal reaches the program.
  launch="exec" "$@" >"$work/background" 2>&1 &
  running=$!
  until ((reached > begun)); do
    kill -0 "$running" 2>/dev/null || { cat "$work/background"; fail "ended too early: $*"; }
    sleep 0.1
    reached=$(done_bytes "$journals"/*.journal) || true
    : "${reached:=0}"
  done
  echo "in mid-merge: $reached bytes are done"
  set -x
}
# The command in the background has not ended.
expect_running() {
  local state=''
  { read -r _ _ state _ <"/proc/$running/stat"; } 2>/dev/null || state=X
  [[ $state != [XZ] ]] || { cat "$work/background"; fail 'it has ended already'; }
}
# Waits for the end of the command in the background, which must have that status.
expect_end() {
  local status=0
  wait "$running" || status=$?
  cp "$work/background" "$work/output"
  cat "$work/output"
  ((status == $1)) || fail "it ended with status $status, not $1"
}
# Sends a signal to it and sets $status: stop_it SIGNAL
stop_it() {
  kill "-$1" "$running"
  status=0
  wait "$running" || status=$?
  cat "$work/background"
}
