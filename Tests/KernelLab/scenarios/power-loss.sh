# The power fails at any flush of a merge, and half of what was written since is lost; the merge of then is finished.
# tier: soak
# time limit: 240
#
# Origin and journal lie on one device whose writes are logged in order, flushes included. The log
# is replayed up to a flush, on a copy of the device as it was before: what the disk must hold
# there. Once more, with half of the writes that had not been flushed yet.
origin_sectors=16384 journal_sectors=16384
sectors=$((origin_sectors + journal_sectors))
loop disk 16M
disk=$device
# Under the same names and identities each time, on whatever stands below.
put_together() {
  dm create origin --uuid LAB-origin --table "0 $origin_sectors linear $1 0"
  dm create journal --table "0 $journal_sectors linear $1 $origin_sectors"
}
put_together "$disk"
origin=$mapper/origin
labtool fill "$origin" "$origin_tag"
mkfs.ext4 -q "$mapper/journal"
dm remove --retry origin journal
cp disk.img before.img

loop log 48M
log=$device
dm create logged --table "0 $sectors log-writes $disk $log"
put_together "$mapper/logged"
make_pool
make_thin 1 8M
write "$mapper/thin1" 1 0 5M
scatter "$mapper/thin1" 2 20
remember "$mapper/thin1"
deactivate thin1
reserve
mkdir fs
mount "$mapper/journal" fs
expect_exit 0 by_path merge 1 --journal fs/journal --rate-limit 4M --checkpoint-interval 0.15
expect_merged
umount fs
dm remove --retry origin journal
dm remove --retry logged

labtool flushes "$log" >marks
total=$(wc -l <marks)
echo "$total flushes"
((total >= 8)) || fail "only $total flushes in the log"
loop replayed 16M
replayed=$device
cp before.img replayed.img
resumed=0 again=0

# Once from what lies on the device: finish_on DEVICE
finish_on() {
  put_together "$1"
  mount "$mapper/journal" fs
  if [[ -e fs/journal ]]; then
    # The target is typed: the journal is not in the state folder, where one is trusted to name it.
    expect_exit 0 resume fs/journal --origin "$origin"
    resumed=$((resumed + 1))
  else
    expect_exit 0 by_path merge 1 --journal fs/journal
    again=$((again + 1))
  fi
  umount fs
  expect_merged
  dm remove --retry origin journal
}

at=0 number=0
mapfile -t chosen < <(awk -v total="$total" 'NR % int(total / 8 + 1) == 1 || NR == total' marks)
for mark in "${chosen[@]}"; do
  labtool replay "$log" "$replayed" "$at" "$mark"
  at=$mark
  for seed in none "$mark"; do
    number=$((number + 1))
    cp replayed.img "try$number.img"
    try=$(losetup --show --find "$work/try$number.img")
    if [[ $seed != none ]]; then
      next=$(awk -v mark="$mark" '$1 > mark { print $1; exit }' marks)
      [[ -z $next ]] || labtool replay "$log" "$try" "$mark" "$next" "$seed"
    fi
    finish_on "$try"
    losetup -d "$try"
    rm "try$number.img"
  done
done
echo "resumed $resumed times, begun again $again times"
((resumed >= 6)) || fail 'too few of them had a journal'
