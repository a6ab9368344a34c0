# With --no-snapshot, --reactivate and --make-origin-writable, killed before and after each change to device-mapper: the next run puts the thin device back.
# tier: full
# time limit: 300
way="--no-snapshot --reactivate"
. /lab/scenarios/killed-at-every-step.sh
