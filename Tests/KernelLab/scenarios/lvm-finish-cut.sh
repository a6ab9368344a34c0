# LVM: --finish --rename that is killed before or after any command of LVM goes on to the same end by the same command.
# tier: full
# time limit: 900
# The commands of LVM are wrapped: the wrapper kills the one that runs it, before or after it did its work.
tools=(lvremove lvchange lvrename)
for tool in "${tools[@]}"; do
  path=$(command -v "$tool")
  mv "$path" "$path.lvm"
  cat >"$path" <<END
#!/bin/bash
wanted=\$(cat /tmp/cut 2>/dev/null)
here="$tool \$*"
if [[ \$wanted == before:* && \$here == \${wanted#before:} ]]; then rm /tmp/cut; kill -KILL \$PPID; exit 1; fi
exec -a $tool $path.lvm "\$@" &
wait \$!
status=\$?
if [[ \$wanted == after:* && \$here == \${wanted#after:} ]]; then rm /tmp/cut; kill -KILL \$PPID; fi
exit \$status
END
  chmod +x "$path"
done
mkdir -p /tmp
cuts=('lvremove *' 'lvchange -prw *' 'lvrename *' 'lvchange -an *')
first=true
for moment in before after; do
  for cut in "${cuts[@]}"; do
    $first || remove_volumes
    first=false
    make_volumes
    echo "$moment:$cut" >/tmp/cut
    thin-merge merge vg/vm1 --finish --rename --yes --progress none && status=0 || status=$?
    ((status == 137)) || fail "it was not killed $moment '$cut': $status"
    # The next boot shows valid data: the unchanged volume, or the origin with all of it.
    vgchange -q -an vg
    expect_exit 0 thin-merge merge vg/vm1 --finish --rename --yes --progress none
    expect_nothing_active
    expect_volumes 'pool:twi---t---' 'vm1:-wi-------'
    expect_base_merged vm1
  done
done
