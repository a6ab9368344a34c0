# A deactivated pool's read-only origin of two layers: --inactive --make-origin-writable merges, and whatever step it is killed at, the next run has it read-only.
# tier: ci
make_origin 8M
loop=$origin
dm create base-real --readonly --table "0 16384 linear $loop 0"
dm create base --readonly --table "0 16384 linear $mapper/base-real 0"
origin=$mapper/base
make_pool
make_thin 1 8M
scatter "$mapper/thin1" 1 40
remember "$mapper/thin1"
remember_origin
deactivate thin1
dm remove --retry pool
read_only() {
  local layer
  for layer in base base-real; do
    [[ $(dmsetup info -c --noheadings -o readonly "$layer") == Read-only ]] || return 1
    [[ -z $(dmsetup table --inactive "$layer") ]] || return 1
    [[ $(dmsetup info -c --noheadings -o suspended "$layer") == Active ]] || return 1
  done
  [[ $(blockdev --getro "$origin") == 1 ]]
}
read_only || fail 'the lab is wrong'
expect_exit 2 by_path merge 1 --inactive
expect_says '[-]-make-origin-writable'
expect_silent_about 'setrw'
expect_exit 0 by_path plan 1 --inactive
expect_says '[-]-make-origin-writable'
expect_untouched
read_only || fail 'it is writable'
options=(--inactive --make-origin-writable)
# Two layers are loaded and resumed, and again at the end: eight changes.
for kill in after:1 before:2 after:2 after:4 before:6 after:7; do
  labtool fill "$loop" "$origin_tag"
  forget_merges
  status=0
  LD_PRELOAD=/lab/labkill.so LAB_KILL=$kill by_path merge 1 "${options[@]}" || status=$?
  ((status == 137)) || fail "$kill: it ended with $status"
  # Once all is merged, the next run compares, and needs no writable origin.
  if ((${kill#*:} < 5)); then expect_exit 2 by_path merge 1 --inactive; else expect_exit 0 by_path merge 1 --inactive; fi
  read_only || fail "$kill: the next run did not make it read-only again"
  expect_exit 0 by_path merge 1 "${options[@]}"
  expect_merged
  read_only || fail "$kill: it stays writable"
done
status=0
forget_merges
labtool fill "$loop" "$origin_tag"
LD_PRELOAD=/lab/labkill.so LAB_KILL=before:9 by_path merge 1 "${options[@]}" || status=$?
((status == 0)) || fail "it makes more changes than 8, or ended with $status"
expect_merged
# In mid-merge, by the kernel's own word for it.
labtool fill "$loop" "$origin_tag"
forget_merges
in_mid_merge by_path merge 1 "${options[@]}" --rate-limit 1M --checkpoint-interval 0.2
read_only && fail 'it is not writable'
stop_it KILL
expect_exit 0 by_path plan 1 "${options[@]}"
read_only && fail 'plan made it read-only'
expect_exit 2 by_path merge 1 --inactive
read_only || fail 'the next run did not make it read-only again'
expect_exit 0 resume "$(the_journal)"
expect_merged
read_only || fail 'it stays writable'
# Another device on the lower layer.
dm create other --readonly --table "0 8 linear $mapper/base-real 0"
expect_exit 5 by_path merge 1 "${options[@]}" --again
expect_says 'other is on top of it'
read_only || fail 'a refused merge changed it'
