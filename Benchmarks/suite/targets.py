"""The figures that are to be reached, and whether they are."""

from .layouts import all_layouts
from .measure import GIB, MIB, PAIRS_MIN, is_decidable
from .metadata import MILLIONS
from .names import QEMU, TOOLS_VERSION

# On each ground, the layouts for which the speed against fio has a target.
AGAINST_FIO = {"ram": {"scattered": 0.9, "runs": 0.9},
               "disk": {layout: 0.95 for layout in ("scattered", "shuffled", "runs", "vm",
                                                    "large-blocks")}}
# On which side of a target an interval lies: all of it, if it does not hold the target.
REACHES, HOLDS, MISSES = SIDES = ("reaches", "holds", "misses")


class Row:
    """A measured summary against a target, which is a number, or the most or least that there may be of
    something that is counted exactly.

    `goal` is what has the target, and `case` what it was measured on, where there are several; `means` has
    the medians that a ratio is of.
    """

    def __init__(self, goal, case, summary, target, at_least=True, exact=False, means=""):
        self.goal = goal
        self.case = case
        self.summary = summary
        self.target = f"{'≥' if at_least else '≤'} {target:.3g}"
        self.means = means
        low, high = summary["interval"]
        whole = low >= target if at_least else high <= target
        reaches = high >= target if at_least else low <= target
        self.side = REACHES if whole else HOLDS if reaches else MISSES
        self.is_decided = exact or (self.side != HOLDS and is_decidable(summary))

    def measured(self):
        low, high = self.summary["interval"]
        return f"{self.summary['median']:.3g}" + ("" if low == high else f" ({low:.3g} to {high:.3g})")

    def cells(self):
        """Of the table of what was decided."""
        verdict = "reached" if self.side == REACHES else "**missed**"
        return [self.goal + (self.case and f": {self.case}"), self.target, self.measured(),
                self.summary["count"], verdict, self.means]

    def undecided(self):
        count = self.summary["count"]
        few = f" of {count} pairs" if count < PAIRS_MIN else ""
        return (self.case and f"{self.case} ") + self.measured() + few


def undecided_lines(rows):
    """One for each target: what it is, and what was measured, in a column for each side."""
    goals = {}
    for row in rows:
        if not row.is_decided:
            goals.setdefault((row.goal, row.target), []).append(row)
    return [[*goal, *("; ".join(row.undecided() for row in of if row.side == side) for side in SIDES)]
            for goal, of in goals.items()]


def counted(value):
    return {"median": value, "interval": [value] * 2, "count": 1}


def speeds(facts, peer):
    """Of thin-merge and of that one, by the medians of their seconds."""
    ours, theirs = (facts["merged_bytes"] / MIB / facts["runs"][name]["seconds"]["median"]
                    for name in ("thin-merge", peer))
    return f"{ours:.0f} against {theirs:.0f} MiB/s"


def rows(results):
    """What was measured against each target, as far as there are results."""
    found = []

    def add(*arguments, **options):
        found.append(Row(*arguments, **options))

    layouts = [layout.name for layout in all_layouts(1)]
    copies = {(ground, layout): results.get(f"copy-{ground}-{layout}")
              for ground in AGAINST_FIO for layout in layouts}
    shown = {"ram": "RAM", "disk": "disk"}
    for (ground, layout), facts in copies.items():
        if facts and layout in AGAINST_FIO[ground]:
            add(f"{shown[ground]}, speed against fio", layout, facts["speed"]["fio"],
                AGAINST_FIO[ground][layout], means=speeds(facts, "fio"))
    if facts := copies["ram", "shuffled"]:
        add(f"RAM, speed against `{QEMU}`", "shuffled", facts["speed"][QEMU], 1.5,
            means=speeds(facts, QEMU))
    for (ground, layout), facts in copies.items():
        if facts:
            peer = facts["best_peer"]
            add(f"{shown[ground]}, speed against the best peer", f"{layout}, {peer}",
                facts["speed"][peer], {"ram": 1.2, "disk": 1.0}[ground], means=speeds(facts, peer))
    for figure, whose in (("processor", "process"), ("machine", "machine")):
        for (ground, layout), facts in copies.items():
            if facts:
                ours, theirs = (facts["runs"][name][f"{figure}_seconds"]["median"] * GIB
                                / facts["merged_bytes"] for name in ("thin-merge", QEMU))
                add(f"{shown[ground]}, processor time of the {whose} by `{QEMU}`", layout,
                    facts[figure][QEMU], 0.35, at_least=False,
                    means=f"{ours:.3f} against {theirs:.3f} s/GiB")
    if plan := results.get(f"plan-shuffled-{MILLIONS['16.7']}"):
        for tool, target in (("thin_check", 0.35), ("thin_dump", 0.05)):
            name = f"{tool} {TOOLS_VERSION}"
            ours, theirs = (plan["runs"][of]["seconds"]["median"]
                            for of in ("thin-merge plan", name))
            add(f"plan of 16.7 million shuffled mappings, time by {name}", "", plan["time"][name], target,
                at_least=False, means=f"{ours:.3f} against {theirs:.3f} s")
    for ground in AGAINST_FIO:
        if aged := results.get(f"plan-aged-{ground}"):
            ours, theirs = (aged["runs"][of]["seconds"]["median"]
                            for of in ("thin-merge plan", "fio"))
            add(f"{shown[ground]}, plan over scattered nodes, speed against fio", "",
                aged["speed"]["fio"], 0.9, means=f"{ours:.3f} against {theirs:.3f} s")
    found.extend(memory_rows(results))
    if heap := results.get("heap"):
        # Start-up, and a look at the clock now and then, differ by some ten calls from run to run: of half a
        # million transfers, and of 65,000 nodes.
        for figure, title, places in (("per_transfer", "transfer", 4), ("per_node", "node", 3)):
            add(f"heap allocations per {title}, to {places} decimals", "",
                counted(abs(round(heap[figure], places))), 0,
                at_least=False, exact=True)
    if resume := results.get("resume"):
        ours, plan = (resume["runs"][of]["seconds"]["median"] for of in ("resume", "plan"))
        add("resume of a merge half done, until the first new write, by one plan", "", resume["time"],
            1.1, at_least=False, means=f"{ours:.3f} against {plan:.3f} s")
    return found


def memory_rows(results):
    """64 MiB, one bit for each of the data blocks, of which there are as many as mappings, and a
    merge's buffers."""
    count = MILLIONS["100"]
    limit = 64 * MIB + count / 8
    for order in ("shuffled", "contiguous"):
        if plan := results.get(f"plan-{order}-{count}"):
            peak = plan["runs"]["thin-merge plan"]["peak_bytes"]
            yield Row("most memory of any plan of 100 million mappings, MiB", order,
                      counted(peak["range"][1] / MIB), limit / MIB, at_least=False, exact=True)
    if merge := results.get("memory"):
        yield Row("most memory of a whole merge of 100 million shuffled mappings, MiB", "",
                  counted(merge["peak_bytes"] / MIB), (limit + merge["buffer_bytes"]) / MIB,
                  at_least=False, exact=True)
