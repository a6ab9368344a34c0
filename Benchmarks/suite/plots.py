"""Plots of what has been measured."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "thin-merge"  # The same figures give the same file.
import matplotlib.pyplot as pyplot

from .layouts import all_layouts
from .measure import MIB
from .metadata import MILLIONS
from .names import QEMU

COLOURS = {"thin-merge": "#1b6ca8", "fio": "#9aa0a6", QEMU: "#e07a1f",
           "qemu-img commit -t writeback": "#f2b880", "ddrescue": "#5a9367", "bmaptool": "#a05195",
           "dd for each run": "#d45087"}


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def copies(results, ground, path):
    found = [(layout.name, results[f"copy-{ground}-{layout.name}"]) for layout in all_layouts(1)
             if f"copy-{ground}-{layout.name}" in results]
    if not found:
        return
    names = list(found[0][1]["runs"])
    figure, axes = pyplot.subplots(figsize=(9, 4))
    width = 0.8 / len(names)
    for index, name in enumerate(names):
        runs = [facts["runs"].get(name) for _, facts in found]
        speeds = [facts["merged_bytes"] / MIB / run["seconds"]["median"] if run else 0
                  for run, (_, facts) in zip(runs, found)]
        axes.bar([place + index * width for place in range(len(found))], speeds, width, label=name,
                 color=COLOURS.get(name))
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(found))],
                    [name for name, _ in found])
    axes.set_ylabel("MiB/s")
    axes.legend(fontsize=8)
    save(figure, path)


def plans(results, path):
    figure, axes = pyplot.subplots(figsize=(9, 4))
    counts = [count for count in MILLIONS.values() if f"plan-shuffled-{count}" in results]
    if not counts:
        return
    runs = {count: results[f"plan-shuffled-{count}"]["runs"] for count in counts}
    for name in dict.fromkeys(name for of in runs.values() for name in of):
        points = [(count, of[name]["seconds"]["median"]) for count, of in runs.items() if name in of]
        axes.plot(*zip(*points), marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="shuffled mappings", ylabel="seconds")
    axes.legend(fontsize=7)
    save(figure, path)


def draw(results, folder):
    """Plots everything that has results, and removes older plots."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for ground in ("ram", "disk"):
        copies(results, ground, folder / f"copy-{ground}.svg")
    plans(results, folder / "plan.svg")
