# A metadata snapshot that somebody else holds is neither used nor released: status 5, with the command for it.
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
deactivate thin1
reserve
block=$(held)
remember_origin
for verb in plan merge verify; do
  expect_exit 5 by_name "$verb" --pool pool --dev-id 1 --origin "$origin"
  expect_says 'release_metadata_snap'
done
[[ $(held) == "$block" ]] || fail 'it is not held any more'
expect_untouched
# Asked for, it is used, and still not released.
expect_exit 0 by_name merge --pool pool --dev-id 1 --origin "$origin" --metadata-snap "$block"
[[ $(held) == "$block" ]] || fail 'it is not held any more'
