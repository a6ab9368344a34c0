"""The figures that are to be reached, and whether they are."""

from .layouts import all_layouts
from .measure import MIB, PAIRS_MIN, half_width, is_decidable
from .metadata import MILLIONS
from .names import QEMU, TOOLS_VERSION

# On each ground, the layouts for which the speed against fio has a target.
AGAINST_FIO = {"ram": {"scattered": 0.9, "runs": 0.9},
               "disk": {layout: 0.95 for layout in ("scattered", "shuffled", "runs", "vm",
                                                    "large-blocks")}}


class Row:
    """One line of the table: a measured summary against a target, which is a number, or the most or
    least that there may be of something that is counted exactly."""

    def __init__(self, figure, summary, target, at_least=True, exact=False):
        self.figure = figure
        self.summary = summary
        self.target = target
        self.at_least = at_least
        self.exact = exact

    def verdict(self):
        low, high = self.summary["interval"]
        whole = low >= self.target if self.at_least else high <= self.target
        reaches = high >= self.target if self.at_least else low <= self.target
        side, verdict = (
            ("all of the interval reaches the target", "reached") if whole
            else ("the interval holds the target", None) if reaches
            else ("all of the interval misses the target", "**missed**"))
        if self.exact or (verdict and is_decidable(self.summary)):
            return verdict or f"not decidable here: {side}"
        why = ("too few pairs; " if self.summary["count"] < PAIRS_MIN
               else "" if is_decidable(self.summary) else f"±{half_width(self.summary):.0%}; ")
        return f"not decidable here: {why}{side}"

    def cells(self):
        low, high = self.summary["interval"]
        sign = "≥" if self.at_least else "≤"
        interval = "" if low == high else f" ({low:.3g} to {high:.3g})"
        return [self.figure, f"{sign} {self.target:.3g}", f"{self.summary['median']:.3g}{interval}",
                self.summary["count"], self.verdict()]


def counted(value):
    return {"median": value, "interval": [value] * 2, "count": 1}


def rows(results):
    """The table's rows, as far as there are results."""
    found = []

    def add(*arguments, **options):
        found.append(Row(*arguments, **options))

    layouts = [(layout.name, layout.title) for layout in all_layouts(1)]
    copies = {(ground, name): results.get(f"copy-{ground}-{name}")
              for ground in AGAINST_FIO for name, _ in layouts}
    shown = {"ram": "RAM", "disk": "disk"}
    for ground, targets in AGAINST_FIO.items():
        for name, title in layouts:
            if name in targets and (facts := copies[ground, name]):
                add(f"{shown[ground]}, {title}, speed against fio", facts["speed"]["fio"],
                    targets[name])
    if facts := copies["ram", "shuffled"]:
        add(f"RAM, shuffled, speed against `{QEMU}`", facts["speed"][QEMU], 1.5)
    for ground, target in (("ram", 1.2), ("disk", 1.0)):
        for name, title in layouts:
            if facts := copies[ground, name]:
                peer = facts["best_peer"]
                add(f"{shown[ground]}, {title}, speed against the best peer ({peer})",
                    facts["speed"][peer], target)
    for figure, whose in (("processor", "process"), ("machine", "machine")):
        for (ground, name), facts in copies.items():
            if facts:
                add(f"{shown[ground]}, {dict(layouts)[name]}, processor time of the {whose} by "
                    f"`{QEMU}`", facts[figure][QEMU], 0.35, at_least=False)
    if plan := results.get(f"plan-shuffled-{MILLIONS['16.7']}"):
        check, dump = (f"{tool} {TOOLS_VERSION}" for tool in ("thin_check", "thin_dump"))
        for name, target in ((check, 0.35), (dump, 0.05)):
            add(f"plan of 16.7 million shuffled mappings, time by {name}", plan["time"][name], target,
                at_least=False)
    for ground in AGAINST_FIO:
        if aged := results.get(f"plan-aged-{ground}"):
            add(f"{shown[ground]}, plan over scattered nodes, speed against fio",
                aged["speed"]["fio"], 0.9)
    for row in memory_rows(results):
        found.append(row)
    if heap := results.get("heap"):
        # Start-up, and a look at the clock now and then, differ by some ten calls from run to run: of half a
        # million transfers, and of 65,000 nodes.
        for figure, title, places in (("per_transfer", "transfer", 4), ("per_node", "node", 3)):
            add(f"heap allocations per {title}, to {places} decimals",
                counted(abs(round(heap[figure], places))), 0,
                at_least=False, exact=True)
    if resume := results.get("resume"):
        add("resume of a merge half done, until the first new write, by one plan", resume["time"], 1.1,
            at_least=False)
    return found


def memory_rows(results):
    """64 MiB, one bit for each of the data blocks, of which there are as many as mappings, and a
    merge's buffers."""
    count = MILLIONS["100"]
    limit = 64 * MIB + count / 8
    for order in ("shuffled", "contiguous"):
        if plan := results.get(f"plan-{order}-{count}"):
            peak = plan["runs"]["thin-merge plan"]["peak_bytes"]
            yield Row(f"most memory of any plan, 100 million {order} mappings, MiB",
                      counted(peak["range"][1] / MIB), limit / MIB, at_least=False, exact=True)
    if merge := results.get("memory"):
        yield Row("most memory of a whole merge of 100 million shuffled mappings, MiB",
                  counted(merge["peak_bytes"] / MIB), (limit + merge["buffer_bytes"]) / MIB,
                  at_least=False, exact=True)
