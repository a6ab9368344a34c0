# The power is cut while the service merges; in the next boot it waits for the devices, resumes unattended, and finishes.
# tier: soak
# boots: systemd
slice() { dm create "$1" --uuid "LAB-$1" --table "0 $3 linear $DISK $2"; }
origin=$mapper/origin data=$mapper/data metadata=$mapper/meta
# The devices as they are after each boot; the pool comes last.
bring_up() {
  slice origin 0 $((16 << 11))
  slice data $((16 << 11)) $((24 << 11))
  slice meta $((40 << 11)) $((4 << 11))
}
show() { systemctl show --value --property "$1" "$unit"; }
waits() { [[ $(show SubState) == auto-restart ]]; }
has_come_again() { (($(show NRestarts) > $1)); }
is_over() { [[ $(show ActiveState) =~ ^(inactive|failed)$ ]]; }
is_finished() { thin-merge status "$journal" --output json | grep -q -E '"(finished|verified)"'; }

if [[ ! -d $journals/enabled ]]; then
  bring_up
  labtool fill "$origin" "$origin_tag"
  make_pool --data-device "$data" --meta-device "$metadata"
  make_thin 1 16M
  write "$mapper/thin1" 1 0 12M
  remember "$mapper/thin1"
  cp expected "$journals/expected"
  deactivate thin1
  in_mid_merge by_name merge --pool pool --dev-id 1 --origin "$origin" --thin-size 16M \
    --rate-limit 2M --checkpoint-interval 0.2
  stop_it INT
  journal=$(the_journal)
  unit=$(systemd-escape --path --template thin-merge@.service "$journal")
  systemctl enable "$unit"
  mkdir "$journals/enabled"
  cp -d "/etc/systemd/system/multi-user.target.wants/$unit" "$journals/enabled/"
  # Later writes are synced by thin-merge alone, or not at all.
  sync
  begun=$(done_bytes "$journal")
  systemctl start "$unit"
  wait_until has_done $((begun + 1))
  expect_not_merged_yet
  echo b >/proc/sysrq-trigger
fi

journal=$(the_journal)
unit=$(systemd-escape --path --template thin-merge@.service "$journal")
cp "$journals/expected" expected
# There is no device yet.
wait_until waits
[[ " $(systemctl show --value --property After multi-user.target) " != *" $unit "* ]] || fail 'the boot waits for it'
[[ $(show ExecMainStatus) == 5 ]] || fail "its status is $(show ExecMainStatus)"
bring_up
# Nor the pool: a run that began behind the devices has ended.
wait_until has_come_again $(($(show NRestarts) + 1))
expect_not_merged_yet
dm create pool --table "0 $(sectors_of "$data") thin-pool $metadata $data 128 0 0"
wait_until is_over
[[ $(show Result) == success ]] || fail "its result is $(show Result)"
is_finished || fail 'it is not finished'
expect_merged
expect_settled
expect_exit 0 thin-merge verify --journal "$journal" --progress none
