"""The figures that are to be reached, and whether they are."""

from .layouts import all_layouts
from .measure import GIB, MIB, PAIRS_MIN
from .metadata import MILLIONS
from .names import QEMU, TOOLS_VERSION, short

# On each ground, the layouts for which the speed against fio has a target.
AGAINST_FIO = {"ram": {"scattered": 0.9, "runs": 0.9},
               "disk": {layout: 0.95 for layout in ("scattered", "shuffled", "runs", "vm",
                                                    "large-blocks")}}
REACHED, MISSED, OPEN = VERDICTS = ("reached", "missed", "open")


class Row:
    """A measured summary against a target, which is a number, or the most or least that there may be of
    something that is counted exactly.

    `goal` has the target, and `case` names the input where several were measured. The verdict is open if the
    interval contains the target, however narrow or wide it is, or if there are too few pairs.
    """

    def __init__(self, goal, case, summary, target, at_least=True, exact=False):
        self.goal = goal
        self.case = case
        self.summary = summary
        self.target = f"{'≥' if at_least else '≤'} {target:.3g}"
        low, high = summary["interval"]
        reached = low >= target if at_least else high <= target
        missed = high < target if at_least else low > target
        self.verdict = REACHED if reached else MISSED if missed else OPEN
        if not exact and summary["count"] < PAIRS_MIN:
            self.verdict = OPEN

    def measured(self):
        low, high = self.summary["interval"]
        return f"{self.summary['median']:.3g}" + ("" if low == high else f" ({low:.3g} to {high:.3g})")

    def shown(self):
        count = self.summary["count"]
        few = f" of {count} pairs" if 1 < count < PAIRS_MIN else ""
        return (self.case and f"{self.case} ") + self.measured() + few


def lines(rows):
    """One for each goal: the goal, its target, and the figures in a column for each verdict."""
    goals = {}
    for row in rows:
        goals.setdefault((row.goal, row.target), []).append(row)
    return [[*goal, *("; ".join(row.shown() for row in of if row.verdict == verdict) for verdict in VERDICTS)]
            for goal, of in goals.items()]


def counted(value):
    return {"median": value, "interval": [value] * 2, "count": 1}


def rows(results):
    """Each figure that has a target, as far as there are results."""
    found = []

    def add(*arguments, **options):
        found.append(Row(*arguments, **options))

    layouts = [layout.name for layout in all_layouts(1)]
    copies = {(ground, layout): results.get(f"copy-{ground}-{layout}")
              for ground in AGAINST_FIO for layout in layouts}
    shown = {"ram": "RAM", "disk": "disk"}
    for (ground, layout), facts in copies.items():
        if facts and layout in AGAINST_FIO[ground]:
            add("merge, speed relative to fio", f"{shown[ground]} {layout}", facts["speed"]["fio"],
                AGAINST_FIO[ground][layout])
    for (ground, layout), facts in copies.items():
        if facts:
            peer = facts["best_peer"]
            add("merge, speed relative to the fastest peer", f"{shown[ground]} {layout}, {short(peer)}",
                facts["speed"][peer], {"ram": 1.2, "disk": 1.0}[ground])
    if facts := copies["ram", "shuffled"]:
        add(f"merge, speed relative to {short(QEMU)}", "RAM shuffled", facts["speed"][QEMU], 1.5)
    for figure, whose in (("processor", "process"), ("machine", "machine")):
        for (ground, layout), facts in copies.items():
            if facts:
                add(f"merge, processor time of the {whose} relative to {short(QEMU)}", f"{shown[ground]} {layout}",
                    facts[figure][QEMU], 0.35, at_least=False)
    if plan := results.get(f"plan-shuffled-{MILLIONS['16.7']}"):
        for tool, target in (("thin_check", 0.35), ("thin_dump", 0.05)):
            name = f"{tool} {TOOLS_VERSION}"
            add(f"plan of 16.7 million shuffled mappings, time relative to {name}", "", plan["time"][name],
                target, at_least=False)
    for ground in AGAINST_FIO:
        if aged := results.get(f"plan-aged-{ground}"):
            add("plan over scattered nodes, speed relative to fio", shown[ground], aged["speed"]["fio"], 0.9)
    if resume := results.get("resume"):
        add("resume of a half-finished merge, time to its first write relative to a plan", "", resume["time"],
            1.1, at_least=False)
    found.extend(memory_rows(results))
    if heap := results.get("heap"):
        # Start-up, and a look at the clock now and then, differ by some ten calls from run to run: of half a
        # million transfers, and of 65,000 nodes.
        for figure, title, places in (("per_transfer", "transfer", 4), ("per_node", "node", 3)):
            add("heap allocations", f"per {title}, to {places} decimals:", counted(abs(round(heap[figure], places))),
                0, at_least=False, exact=True)
    return found


def memory_rows(results):
    """64 MiB, one bit for each of the data blocks, of which there are as many as mappings, and a
    merge's buffers."""
    count = MILLIONS["100"]
    limit = 64 * MIB + count / 8
    for order in ("shuffled", "contiguous"):
        if plan := results.get(f"plan-{order}-{count}"):
            peak = plan["runs"]["thin-merge plan"]["peak_bytes"]
            yield Row("plan of 100 million mappings, most memory of any run, MiB", order,
                      counted(peak["range"][1] / MIB), limit / MIB, at_least=False, exact=True)
    if merge := results.get("memory"):
        yield Row("merge of 100 million shuffled mappings, memory, MiB", "",
                  counted(merge["peak_bytes"] / MIB), (limit + merge["buffer_bytes"]) / MIB,
                  at_least=False, exact=True)
