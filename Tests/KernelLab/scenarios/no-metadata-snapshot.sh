# Without a metadata snapshot a live pool is refused with status 2, and the origin untouched.
make_origin 8M
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 30
remember_origin
deactivate thin1
expect_exit 2 by_path merge 1
expect_says 'metadata snapshot'
expect_untouched
expect_not_held
