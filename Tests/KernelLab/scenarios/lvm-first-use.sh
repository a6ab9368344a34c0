# LVM: the five steps of README, as typed there, with nothing active: list, plan, merge, verify, merge --finish.
# tier: ci
# time limit: 240
make_volumes
expect_nothing_active
expect_exit 0 thin-merge list
expect_says '^vg/vm1 +vg/base +vg/pool +16 MiB +\? +inactive +none$'
expect_exit 0 thin-merge plan vg/vm1
expect_says 'write-protected +vg/base, by LVM'
expect_silent_about 'base-real|dev/mapper'
expect_nothing_active
expect_exit 0 thin-merge merge vg/vm1 --yes --progress none
expect_says 'activated vg/pool'
expect_says 'activated vg/base'
expect_silent_about 'base-real'
expect_nothing_active
expect_base_merged
expect_exit 0 thin-merge verify vg/vm1 --progress none
expect_says 'You can remove the thin device'
expect_exit 0 thin-merge status
expect_says 'finished +vg/vm1 into vg/base'
expect_exit 0 thin-merge merge vg/vm1 --finish --yes --progress none
expect_says 'vg/vm1 was removed; vg/base is now an ordinary volume'
expect_nothing_active
expect_volumes 'base:-wi-------' 'pool:twi---t---'
expect_base_merged
# Nothing is left to do, whoever asks.
expect_exit 0 thin-merge merge vg/vm1 --finish --yes
expect_says 'Nothing is left to do'
lvcreate -q -y -V 8M --thinpool vg/pool -n another
