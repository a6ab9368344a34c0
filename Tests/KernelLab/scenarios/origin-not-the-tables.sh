# An origin other than the one in the thin device's table is told of; the same under another name is none.
# tier: full
make_origin 8M other
other=$origin
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
deactivate thin1
activate 1 8M "$origin" --readonly
true_origin=$origin origin=$other
remember_origin
expect_exit 0 by_name plan thin1 --origin "$other"
expect_says 'table names .* as its origin, not'
expect_untouched
expect_settled
# The same device under another name is none other.
origin=$true_origin
remember "$mapper/thin1"
ln -s "$origin" "$work/link"
expect_exit 0 by_name merge thin1 --origin "$work/link"
expect_merged
expect_settled
