# Where the origin or the thin device is suspended, that is refused without waiting, and they stay so.
make_origin 8M
dm create base --table "0 16384 linear $origin 0"
origin=$mapper/base
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
remember_origin
deactivate thin1
by=(--pool pool --dev-id 1 --origin "$origin" --thin-size 8M)
suspended() { dmsetup info -c --noheadings -o suspended "$1"; }
refused() {
  status=0
  timeout 30 thin-merge merge --yes --progress none "$@" >output 2>&1 || status=$?
  cat output
  ((status == 2 || status == 5)) || fail "exit status $status"
}

dm suspend base
refused "${by[@]}"
[[ $(suspended base) == Suspended ]] || fail 'it was resumed'
dm resume base
activate 1 8M
dm suspend thin1
for option in --reactivate --snapshot; do
  refused thin1 "$option"
  [[ $(suspended thin1) == Suspended ]] || fail 'it was resumed'
done
dm resume thin1
deactivate thin1
expect_untouched
expect_settled
# The kernel takes messages to a suspended pool.
dm suspend pool
expect_exit 0 timeout 30 thin-merge merge "${by[@]}" --yes
[[ $(suspended pool) == Suspended ]] || fail 'it was resumed'
dm resume pool
expect_merged
