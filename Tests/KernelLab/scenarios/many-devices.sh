# One of 300 thin devices is found and merged.
# time limit: 240
make_origin 4M
make_pool --data 32M
{ set +x; } 2>/dev/null
for ((id = 0; id < 300; id++)); do pool_message "create_thin $id"; done
set -x
for id in 0 137 299; do
  activate "$id" 4M
  scatter "$mapper/thin$id" $((id + 1)) 10
done
remember "$mapper/thin137"
deactivate thin0 thin137 thin299
reserve
expect_exit 0 thin-merge devices --metadata "$metadata" --output json
(($(grep -o '"dev_id"' output | wc -l) == 300)) || fail 'not 300 devices are listed'
expect_exit 0 by_path merge 137
expect_merged
