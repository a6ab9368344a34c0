# An origin that device-mapper has read-only: status 2, or writable for the merge with --make-origin-writable.
# tier: ci
make_origin 8M
loop=$origin
dm create base --readonly --table "0 16384 linear $loop 0"
origin=$mapper/base
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
remember_origin
deactivate thin1
activate 1 8M "$origin" --readonly
read_only() { [[ $(dmsetup info -c --noheadings -o readonly base) == Read-only && $(blockdev --getro "$origin") == 1 ]]; }
read_only || fail 'the lab is wrong'
expect_exit 2 by_name merge thin1
expect_says '[-]-make-origin-writable'
expect_untouched
read_only || fail 'it is writable'
expect_exit 0 by_name merge thin1 --make-origin-writable
expect_merged
read_only || fail 'it stays writable'
expect_settled
# Once finished, it is compared while read-only.
expect_exit 0 by_name merge thin1
expect_says 'still identical'
read_only || fail 'comparing made it writable'
# Killed, it stays writable until the next run.
forget_merges
deactivate thin1
activate 1 8M "$origin"
write "$mapper/thin1" 2 0 6M
remember "$mapper/thin1"
deactivate thin1
activate 1 8M "$origin" --readonly
in_mid_merge by_name merge thin1 --make-origin-writable --rate-limit 2M --checkpoint-interval 0.2
stop_it KILL
expect_exit 2 by_name merge thin1
read_only || fail 'the next run did not make it read-only again'
expect_exit 0 by_name merge thin1 --make-origin-writable
expect_merged
read_only || fail 'it stays writable'
expect_settled
