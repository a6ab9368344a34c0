# Processor time of the machine for a merge, thin_migrate 1.1.0 and the kernel's snapshot merge.
# tier: bench
# time limit: 600
# It proves nothing and is run by Benchmarks/bench, which brings thin_migrate in /extra.
busy_ticks() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }
# Prints what the machine worked meanwhile: cost NAME COMMAND…
cost() {
  local before
  before=$(busy_ticks)
  "${@:2}" >"$work/output" 2>&1 || { cat "$work/output"; fail "$1"; }
  sync
  printf 'cost %s %d\n' "$1" $(($(busy_ticks) - before)) >>"$work/costs"
}
# It looks whether there is a udev, of which it then wants nothing, and the guest has none.
mkdir -p /run/udev
touch /run/udev/control
migrate() {
  /extra/ld.so --library-path /extra /extra/thin_migrate --source-dev "$mapper/thin1" --dest-dev "$device"
}
snapshot_merge() {
  dm remove snap
  dm suspend base
  dm reload base --table "0 $sectors snapshot-merge $lower $cow P 128"
  dm resume base
  # Sectors in use, then all, then those of its own metadata: it is done when only these are left.
  until dm status base | awk '{ split($4, used, "/"); exit !(used[1] == $5) }'; do sleep 2; done
}

make_origin 128M
make_pool --data 64M
make_thin 1 128M
# 800 blocks of 64 KiB, every second one.
for ((block = 0; block < 1600; block += 2)); do printf '%d\n' "$block"; done >"$work/blocks"
write_blocks() {
  while read -r block; do
    dd if="$work/noise" of="$1" bs=64k count=1 seek="$block" conv=notrunc oflag=direct status=none
  done <"$work/blocks"
}
dd if=/dev/urandom of="$work/noise" bs=64k count=1 status=none
write_blocks "$mapper/thin1"

# It reads none that might be written meanwhile, and the mappings of a metadata snapshot.
deactivate thin1
activate 1 128M "$origin" --readonly
reserve
loop destination 128M
cost thin_migrate migrate

deactivate thin1
cost thin-merge thin-merge merge --metadata "$metadata" --data "$data" --dev-id 1 --origin "$origin" \
  --yes --progress none

loop lower 128M
lower=$device
loop cow 96M
cow=$device
sectors=$(sectors_of "$lower")
dm create base --table "0 $sectors snapshot-origin $lower"
dm create snap --table "0 $sectors snapshot $lower $cow P 128"
write_blocks "$mapper/snap"
cost snapshot-merge snapshot_merge
sed 's/^/NOTE: /' "$work/costs"
