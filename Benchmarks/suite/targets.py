"""The figures that are to be reached, and whether they are."""

from .layouts import all_layouts
from .measure import DECIDABLE_HALF_WIDTH

PEERS_ARE_NOT = ("fio",)
PAIRS_MIN = 11


class Row:
    """One line of the table: a measured summary (median, interval) against a target."""

    def __init__(self, figure, summary, target, at_least):
        self.figure = figure
        self.summary = summary
        self.target = target
        self.at_least = at_least

    def verdict(self):
        median, (low, high) = self.summary["median"], self.summary["interval"]
        if self.summary.get("count", PAIRS_MIN) < PAIRS_MIN:
            return f"too few pairs: {self.summary['count']}"
        width = (high - low) / 2 / abs(median) if median else 0
        whole = low >= self.target if self.at_least else high <= self.target
        reaches = high >= self.target if self.at_least else low <= self.target
        if width > DECIDABLE_HALF_WIDTH:
            where = "all of it on the good side" if whole else (
                "it holds the target" if reaches else "all of it on the bad side")
            return f"not decidable here: ±{width:.0%}, {where}"
        return "met" if whole else "met: the interval reaches it" if reaches else "**missed**"

    def cells(self):
        low, high = self.summary["interval"]
        sign = "≥" if self.at_least else "≤"
        return [self.figure, f"{sign} {self.target:g}",
                f"{self.summary['median']:.3g} ({low:.3g} to {high:.3g})", self.verdict()]


def best_peer(facts):
    """The peer that thin-merge is least ahead of."""
    peers = {name: ratio for name, ratio in facts["speed"].items() if name not in PEERS_ARE_NOT}
    return min(peers.items(), key=lambda item: item[1]["median"])


def rows(results):
    """The table's rows, as far as there are results."""
    found = []

    def add(figure, summary, target, at_least=True):
        found.append(Row(figure, summary, target, at_least))

    layouts = [(layout.name, layout.title) for layout in all_layouts(1)]
    ram = {name: results.get(f"copy-ram-{name}") for name, _ in layouts}
    disk = {name: results.get(f"copy-disk-{name}") for name, _ in layouts}
    for name, title in layouts:
        if ram[name]:
            target = {"scattered": 0.9, "runs": 0.9}.get(name)
            if target:
                add(f"RAM, {title}, speed against fio", ram[name]["speed"]["fio"], target)
    if ram["shuffled"]:
        add("RAM, shuffled, speed against `qemu-img commit -t none`",
            ram["shuffled"]["speed"]["qemu-img commit -t none"], 1.5)
    for name, title in layouts:
        if ram[name]:
            peer, ratio = best_peer(ram[name])
            add(f"RAM, {title}, speed against the best peer ({peer})", ratio, 1.2)
    for name, title in layouts:
        if disk[name]:
            add(f"disk, {title}, speed against fio", disk[name]["speed"]["fio"], 0.95)
    for name, title in layouts:
        if disk[name]:
            peer, ratio = best_peer(disk[name])
            add(f"disk, {title}, speed against the best peer ({peer})", ratio, 1.0)
    for ground, of in (("RAM", ram), ("disk", disk)):
        for name, title in layouts:
            if of[name]:
                add(f"{ground}, {title}, processor time against `qemu-img commit -t none`",
                    of[name]["processor"]["qemu-img commit -t none"], 0.35, at_least=False)
    if parts := results.get("parts"):
        for ground, title in (("ram", "RAM"), ("disk", "disk")):
            share = parts[ground]["share"]["checksums off, checkpoints off"]
            for figure, whose in (("processor_seconds", "process"), ("machine_seconds", "machine")):
                add(f"{title}, checksums and checkpoints, share of the {whose}'s processor time",
                    share[figure], 0.03, at_least=False)
    if plan := results.get("plan-shuffled-16777216"):
        add("plan of 16.7 million shuffled mappings, time by thin_check 1.1.0",
            plan["time"]["thin_check 1.1.0"], 0.35, at_least=False)
        add("the same, by thin_dump 1.1.0", plan["time"]["thin_dump 1.1.0"], 0.05, at_least=False)
    for ground, title in (("disk", "disk"), ("ram", "RAM")):
        if aged := results.get(f"plan-aged-{ground}"):
            add(f"{title}, plan over scattered nodes, speed against fio", aged["speed"], 0.9)
    if heap := results.get("heap"):
        for figure, title in (("per_transfer", "transfer"), ("per_node", "node")):
            add(f"heap allocations per {title}",
                {"median": heap[figure], "interval": [heap[figure]] * 2}, 0, at_least=False)
    if resume := results.get("resume"):
        add("resume of a merge half done, until the first new write, by one plan", resume["time"], 1.1,
            at_least=False)
    return found
