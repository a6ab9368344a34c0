# One of 300 thin devices is found and merged.
# tier: full
make_origin 4M
make_pool --data 32M
labtool create-thin pool 0 299
for id in 0 137 299; do
  activate "$id" 4M
  scatter "$mapper/thin$id" $((id + 1)) 10
done
remember "$mapper/thin137"
deactivate thin0 thin137 thin299
reserve
expect_exit 0 thin-merge devices --metadata "$metadata" --output json
(($(grep -o '"dev_id"' output | wc -l) == 300)) || fail 'not 300 devices are listed'
expect_exit 2 by_path merge 137
expect_says '[-]-other-users-ok'
expect_exit 0 by_path merge 137 --other-users-ok
expect_merged
