# Where the origin, the pool or the thin device is suspended, the merge does not wait for ever, and changes nothing.
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
is_refused() { ((status == 2 || status == 5)) || fail "exit status $status"; }
refused() {
  status=0
  timeout 30 thin-merge merge --yes --progress none "$@" >output 2>&1 || status=$?
  cat output
  is_refused
}

dm suspend base
refused "${by[@]}"
[[ $(suspended base) == Suspended ]] || fail 'it was resumed'
dm resume base
dm suspend pool
refused "${by[@]}"
[[ $(suspended pool) == Suspended ]] || fail 'it was resumed'
dm resume pool
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
expect_exit 0 by_name merge "${by[@]}"
expect_merged
