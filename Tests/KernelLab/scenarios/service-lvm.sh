# The service merges a volume of LVM from its sandbox, and resumes its handover there: LVM locks, archives and changes.
# tier: full
# boots: systemd
# time limit: 300
sed -i 's/backup = 0/backup = 1/; s/archive = 0/archive = 1/' /etc/lvm/lvm.conf
show() { systemctl show --value --property "$1" "$unit"; }
is_over() { [[ $(show ActiveState) =~ ^(inactive|failed)$ ]]; }
run_service() {
  journal=$(the_journal)
  unit=$(systemd-escape --path --template thin-merge@.service "$journal")
  systemctl start "$unit" || true
  wait_until is_over
  [[ $(show Result) == success ]] || { dmesg | tail -n 40; fail "its result is $(show Result), $(show ExecMainStatus)"; }
}
archived() { grep -h '^description' /etc/lvm/archive/*.vg; }
make_volumes
in_mid_merge by_name merge vg/vm1 --rate-limit 1M --checkpoint-interval 0.2
stop_it INT
expect_nothing_active
run_service
expect_nothing_active
expect_base_merged
# Killed by LVM's first command for the handover, in place of which this runs.
change_volume 2
lvchange -q -an vg/pool
forget_merges
mv /usr/sbin/lvremove /usr/sbin/lvremove.kept
cat >/usr/sbin/lvremove <<\END
#!/bin/bash
kill -KILL $PPID
END
chmod +x /usr/sbin/lvremove
thin-merge merge vg/vm1 --finish --rename --yes --progress none && status=0 || status=$?
((status == 137)) || fail "it was not killed: $status"
mv /usr/sbin/lvremove.kept /usr/sbin/lvremove
rm -rf /etc/lvm/archive /etc/lvm/backup
run_service
expect_nothing_active
archived
for change in lvremove 'lvchange -prw' lvrename; do
  archived | grep -q "$change" || fail "LVM archived nothing before '$change'"
done
[[ -f /etc/lvm/backup/vg ]] || fail 'LVM made no backup'
expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
expect_base_merged vm1
# Nothing is left, whatever is said to it.
run_service
