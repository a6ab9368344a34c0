# Names that need care: with a blank, a colon, a dash, another script; also of the pool.
# tier: full
make_origin 8M
make_pool --name 'my pool:1'
pool='my pool:1'
pool_message 'create_thin 1'
table="0 16384 thin $(dmsetup info -c --noheadings --separator : -o major,minor "$pool") 1 $origin"
for name in 'my thin' 'a:b' '--dashes--' 'größe'; do
  dm create --readonly --table "$table" -- "$name"
  expect_exit 0 by_name plan -- "$name"
  dm remove --retry -- "$name"
done
dm create 'my thin' --table "$table"
node=$(echo "$mapper"/my*thin)
scatter "$node" 1 40
remember "$node"
expect_exit 0 by_name merge 'my thin' --no-snapshot --reactivate
expect_merged
expect_settled
expect_exit 0 by_name plan "$node" --reactivate
expect_exit 0 by_name merge 'my thin' --again
expect_settled
[[ -n $(dm table 'my thin') ]] || fail 'it was not put back'
dm remove --retry 'my thin'
