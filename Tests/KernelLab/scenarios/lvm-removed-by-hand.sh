# LVM: where the thin volume was removed by hand after its merge, --finish makes the origin an ordinary volume and renames it.
# tier: full
make_volumes
expect_exit 0 by_name merge vg/vm1
lvremove -q -y vg/vm1
[[ $(lvs --noheadings -o lv_permissions vg/base | tr -d ' ') == read-only ]] || fail 'base is writable already'
expect_exit 0 thin-merge merge vg/vm1 --finish --rename --dry-run --yes
expect_exit 0 thin-merge merge vg/vm1 --finish --rename --yes
[[ $(lvs --noheadings -o lv_name vg | tr -d ' ' | sort | paste -sd ' ') == 'pool vm1' ]] || fail 'base is not renamed'
[[ $(lvs --noheadings -o lv_attr vg/vm1 | tr -d ' ') == -wi* ]] || fail 'vm1 is no ordinary volume'
expect_base_merged vm1
lvm vgck vg
