# With a udevd and dmeventd: a monitored pool grows by itself in mid-merge, and is monitored as before once that is finished.
# tier: full
# boots: udev
# time limit: 240
sed -i 's/monitoring = 0/monitoring = 1/; s/threshold = 100/threshold = 50\n  thin_pool_autoextend_percent = 50/' /etc/lvm/lvm.conf
monitored() { lvs --noheadings -o seg_monitor vg/pool | tr -d ' '; }
pool_size() { lvs --noheadings --nosuffix --units m -o lv_size vg/pool | tr -d ' '; }
has_grown() { [[ $(pool_size) != 32.00 ]]; }
make_volumes
pool=vg-pool-tpool
lvchange -q -ay -K vg/vm1
[[ $(monitored) == monitored ]] || fail 'dmeventd does not monitor the pool: the lab is wrong'
exec 7</dev/vg/vm1
in_mid_merge by_name merge vg/vm1 --snapshot --rate-limit 1M --checkpoint-interval 0.2
# More than half of the pool.
lvcreate -q -y -V 16M --thinpool vg/pool -n other
write /dev/vg/other 7 0 13M
wait_until has_grown
expect_running
expect_end 0
exec 7<&-
expect_not_held "$pool"
expect_no_cookies
[[ $(monitored) == monitored ]] || fail 'dmeventd does not monitor the pool any more'
lvchange -q -an vg/vm1
lvchange -q -ay -K vg/base
expect_merged /dev/vg/base
lvchange -q -an vg/base
lvs -a vg
# Written to meanwhile or not, what it has is merged before it goes.
change_volume 2
expect_exit 0 by_name merge vg/vm1 --again --finish --rename
expect_no_cookies
[[ $(monitored) == monitored ]] || fail 'dmeventd does not monitor the pool any more'
lvchange -q -an vg/pool
expect_base_merged vm1
lvs -a vg
lvremove -q -y vg/other
lvchange -q -an vg/pool
expect_nothing_active
expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
