# The pool's own devices, and what lies over them, are refused as an origin: status 2 or 5.
make_origin 8M
make_pool
make_thin 1 8M
make_thin 2 8M -
scatter "$mapper/thin1" 1 30
deactivate thin1
reserve
for origin in "$data" "$metadata" "$mapper/pool" "$mapper/thin2"; do
  labtool expectation "$origin" "$origin" before
  status=0
  by_path merge 1 --past-end clip >output 2>&1 || status=$?
  cat output
  ((status == 2 || status == 5)) || fail "exit status $status for $origin"
  expect_equal before "$origin"
done
