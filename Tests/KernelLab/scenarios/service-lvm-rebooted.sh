# The power is cut while the service merges a volume of LVM; in the next boot it waits for the group, activates what it needs and finishes.
# tier: soak
# boots: systemd
# time limit: 300
show() { systemctl show --value --property "$1" "$unit"; }
waits() { [[ $(show SubState) == auto-restart ]]; }
is_over() { [[ $(show ActiveState) =~ ^(inactive|failed)$ ]]; }

if [[ ! -d $journals/enabled ]]; then
  device=$(losetup --show --find "$DISK")
  mkdir -p /run/lock/lvm
  pvcreate -q "$device"
  vgcreate -q -s 1M vg "$device"
  lvcreate -q -y -Wn -Zn -L 8M -n base vg
  labtool fill /dev/vg/base "$origin_tag"
  make_vm1 24M
  cp expected "$journals/expected"
  in_mid_merge by_name merge vg/vm1 --rate-limit 512k --checkpoint-interval 0.2
  stop_it INT
  journal=$(the_journal)
  unit=$(systemd-escape --path --template thin-merge@.service "$journal")
  systemctl enable "$unit"
  mkdir "$journals/enabled"
  cp -d "/etc/systemd/system/multi-user.target.wants/$unit" "$journals/enabled/"
  sync
  begun=$(done_bytes "$journal")
  systemctl start "$unit"
  wait_until has_done $((begun + 1))
  echo b >/proc/sysrq-trigger
fi

journal=$(the_journal)
unit=$(systemd-escape --path --template thin-merge@.service "$journal")
cp "$journals/expected" expected
# LVM has no group yet.
wait_until waits
[[ $(show ExecMainStatus) == 5 ]] || fail "its status is $(show ExecMainStatus)"
mkdir -p /run/lock/lvm
losetup --find "$DISK"
wait_until is_over
[[ $(show Result) == success ]] || fail "its result is $(show Result)"
expect_nothing_active
expect_base_merged
expect_exit 0 by_name merge vg/vm1 --finish --rename
expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
expect_base_merged vm1
