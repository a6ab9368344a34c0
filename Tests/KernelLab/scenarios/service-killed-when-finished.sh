# Killed after it has recorded that the merge is finished, the service undoes what it left: nothing stays held.
# tier: soak
# boots: systemd
origin=$mapper/origin data=$mapper/data metadata=$mapper/meta
slice() { dm create "$1" --uuid "LAB-$1" --table "0 $3 linear $DISK $2"; }
show() { systemctl show --value --property "$1" "$unit"; }
is_over() { [[ $(show ActiveState) =~ ^(inactive|failed)$ ]]; }

slice origin 0 $((16 << 11))
slice data $((16 << 11)) $((24 << 11))
slice meta $((40 << 11)) $((4 << 11))
labtool fill "$origin" "$origin_tag"
make_pool --data-device "$data" --meta-device "$metadata"
make_thin 1 16M
write "$mapper/thin1" 1 0 4M
remember "$mapper/thin1"
deactivate thin1
in_mid_merge by_name merge --pool pool --dev-id 1 --origin "$origin" --thin-size 16M \
  --rate-limit 1M --checkpoint-interval 0.2
stop_it INT
journal=$(the_journal)
unit=$(systemd-escape --path --template thin-merge@.service "$journal")
# The metadata snapshot is released first, once all is recorded; the same must not kill settling.
mkdir -p "/run/systemd/system/$unit.d"
cat >"/run/systemd/system/$unit.d/kill.conf" <<END
[Service]
ExecStart=
ExecStart=/bin/sh -c 'echo >>/run/starts; LD_PRELOAD=/lab/labkill.so LAB_KILL=before:release_metadata_snap exec thin-merge resume --yes --progress none $journal'
RestartSec=5
END
systemctl daemon-reload
systemctl start "$unit" || true
wait_until is_over
# Once more after it was killed; what is finished by then kills nothing.
[[ $(wc -l </run/starts) == 2 ]] || fail "it was started $(wc -l </run/starts) times"
[[ $(show Result) == success ]] || fail "its result is $(show Result)"
thin-merge status "$journal" --output json | grep -q -E '"(finished|verified)"' || fail 'it is not finished'
expect_merged
expect_settled
expect_ids 1
