"""RESULTS.md, tables of everything, and plots, from what the runs have left."""

import statistics

from . import plots, targets
from . import results as results_files
from .layouts import all_layouts
from .measure import GIB, MIB, PAIRS_MIN
from .metadata import MILLIONS
from .tools import BENCHMARKS, BenchmarkError


def table(heads, lines, numbers_from=1):
    rule = ["---"] * numbers_from + ["---:"] * (len(heads) - numbers_from)
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in [heads, rule, *lines]) + "\n"


def seconds(summary):
    low, high = summary["range"]
    return f"{summary['median']:.3f} ({low:.3f} to {high:.3f})"


def ratio(summary):
    """With the interval, which fewer than six pairs do not give: with their range then."""
    if summary["count"] == 1:
        return f"{summary['median']:.3g} (its one run, by thin-merge's first)"
    if summary["count"] < 6:
        low, high = summary["range"]
        return f"{summary['median']:.3f} ({low:.3f} to {high:.3f}, all of {summary['count']} pairs)"
    low, high = summary["interval"]
    return f"{summary['median']:.3f} ({low:.3f} to {high:.3f})"


def peak(run):
    return f"{run['peak_bytes']['median'] / MIB:.0f}"


def copies(results, ground):
    parts = []
    for layout in all_layouts(1):
        facts = results.get(f"copy-{ground}-{layout.name}")
        if not facts:
            continue
        lines = []
        for name, run in facts["runs"].items():
            gib = facts["merged_bytes"] / GIB
            lines.append([
                name, seconds(run["seconds"]), f"{gib * 1024 / run['seconds']['median']:.0f}",
                ratio(facts["speed"][name]) if name in facts["speed"] else "",
                f"{run['processor_seconds']['median'] / gib:.3f}",
                f"{run['machine_seconds']['median'] / gib:.3f}", peak(run),
                run["seconds"]["count"]])
        parts.append(f"### {facts['layout'][0].upper()}{facts['layout'][1:]}\n\n" + table(
            ["program", "seconds: median (range)", "MiB/s", "its time by thin-merge's (95 %)",
             "process, s/GiB", "machine, s/GiB", "peak, MiB", "runs"], lines))
    return "\n".join(parts)


def plans(results):
    parts = []
    for order in ("shuffled", "contiguous"):
        for count in MILLIONS.values():
            facts = results.get(f"plan-{order}-{count}")
            if not facts:
                continue
            lines = [[name, seconds(run["seconds"]),
                      ratio(facts["time"][name]) if name in facts["time"] else "",
                      f"{run['processor_seconds']['median']:.3f}",
                      f"{run['read_bytes']['median'] / MIB:.0f}", peak(run),
                      run["seconds"]["count"]]
                     for name, run in facts["runs"].items()]
            parts.append(f"### {count:,} {order} mappings\n\n" + table(
                ["program", "seconds: median (range)", "plan's time by it (95 %)",
                 "processor seconds", "read, MiB", "peak, MiB", "runs"], lines))
    return "\n".join(parts)


def aged(results):
    parts = []
    for ground in ("disk", "ram"):
        if facts := results.get(f"plan-aged-{ground}"):
            lines = [[name, seconds(run["seconds"]),
                      ratio(facts["speed"][name]) if name in facts["speed"] else "",
                      f"{run['processor_seconds']['median']:.3f}",
                      f"{run['machine_seconds']['median']:.3f}", run["seconds"]["count"]]
                     for name, run in facts["runs"].items()]
            parts.append(f"### {facts['count']:,} mappings in {facts['nodes']:,} scattered nodes, "
                         f"{ground}\n\n" + table(
                ["program", "seconds: median (range)", "its time by the plan's (95 %)",
                 "process, s", "machine, s", "runs"], lines))
    return "\n".join(parts)


def costs(results):
    parts = []
    if facts := results.get("heap"):
        parts.append("### Heap\n\n" + table(
            ["run", "allocations"], [[name, f"{of:,}"] for name, of in facts["calls"].items()])
            + f"\n{facts['per_transfer']:.6f} for each further transfer, "
            f"{facts['per_node']:.6f} for each further node.\n")
    if facts := results.get("memory"):
        parts.append(
            "### Memory\n\n"
            f"A whole merge of {facts['count']:,} shuffled blocks with all I/O of data and origin "
            f"swallowed: {facts['peak_bytes'] / MIB:.0f} MiB at the peak, {facts['seconds']:.0f} s. All pages "
            "of its buffers were written to, as if they had been read into. Its "
            f"buffers are {facts['buffer_bytes'] / MIB:.0f} MiB: `--io-size` for each request of "
            "`--queue-depth`, but no more than four blocks of 64 KiB for each, where none can be joined "
            "with the next. Of a plan, the target counts no buffers.\n")
    if facts := results.get("resume"):
        parts.append("### Resume, and a merge of 1 TiB without I/O\n\n" + table(
            ["what", "seconds: median (range)"],
            [["plan", seconds(facts["runs"]["plan"]["seconds"])],
             ["resume at the half, until the first write", seconds(facts["runs"]["resume"]["seconds"])]])
            + f"\nThe journal had {facts['journal_bytes'] / MIB:.0f} MiB then. The whole merge, with all "
            f"I/O of data and origin swallowed: {facts['whole']['seconds']:.1f} s, "
            f"{facts['whole']['processor_seconds']:.1f} processor seconds, a journal of "
            f"{facts['whole_journal_bytes'] / MIB:.0f} MiB.\n")
    return "\n".join(parts)


def others(results):
    if not (facts := results.get("lab")):
        return ""
    ours = statistics.median(facts["thin-merge"])
    return ("Processor time of the whole machine for the same 800 blocks of 64 KiB, under qemu without "
            "acceleration, one behind the other in each of its starts. `thin_migrate` copies to an empty "
            "device; the kernel's snapshot merge reads its exceptions from the disk, and has in its time a "
            "look every two seconds whether it is done.\n\n") + table(
        ["program", "ticks of 10 ms, median (range)", "by thin-merge"],
        [[name, f"{statistics.median(ticks):.0f} ({min(ticks)} to {max(ticks)})",
          f"{statistics.median(ticks) / ours:.2f}"] for name, ticks in facts.items()])


def micros(results):
    if not (facts := results.get("micro")):
        return ""
    # The library tells how many measured bodies a second, in whole numbers; all but one have a thousand rounds.
    times = {time["name"].rsplit(".", 1)[-1].replace("_", " "):
             1e9 / time["percentiles"]["50.0"] / (1 if "256_MiB" in time["name"] else 1000)
             for time in facts["times"]}
    return table(
        ["part", "median, ns, to 1 or 2 %"],
        [[name, f"{float(f'{time:.3g}'):,.0f}"] for name, time in sorted(times.items())]) + (
        "\nWhat a round takes in instructions of the process and in calls of the heap. Instructions are "
        "counted by callgrind: the machine has no counters of its own, and callgrind no AVX-512, so the "
        "checksum is overstated.\n\n") + table(
        ["round", "instructions", "heap calls"],
        [[title, f"{of['instructions']:,.0f}", f"{abs(round(of['heap_calls'], 2)):g}"]
         for title, of in facts["rounds"].items()])


def provenance(made):
    """What was measured, and with what: of all parts, or of each where they differ."""
    newest = max(made.values(), key=lambda of: of["date"])
    text = "\n".join(dict.fromkeys(
        "{date:.10}, {processors} x {processor}, {memory_gib} GiB, Linux {kernel}.".format(
            date=of["date"], **of["machine"])
        for of in sorted(made.values(), key=lambda of: of["date"], reverse=True))) + "\n"
    by_commit = {}
    for name, of in made.items():
        by_commit.setdefault(of["commit"], []).append(name)
    if len(by_commit) == 1:
        return text + f"\nCommit {newest['commit']}.\n"
    return text + "\n**Parts are of different commits:**\n\n" + "".join(
        f"- {commit}: {', '.join(names)}\n" for commit, names in by_commit.items())


def failed(failures):
    return "## Parts that failed\n\n" + "".join(
        f"- {part}, at {of['commit']}: `{' '.join(of['error'].split())[-300:]}`\n"
        for part, of in failures.items())


def undecided(lines):
    return ("## Not decidable here\n\nMedians with their 95 % intervals. A figure is undecided if its interval "
            "contains the target, or extends more than 5 % from the median, even if all of it is on one "
            "side.\n\n") + table(
        ["figure", "target", "interval reaches the target", "interval contains it", "interval misses it"],
        lines, numbers_from=5)


def write(work):
    results, made, failures = results_files.load(work)
    if not results:
        raise BenchmarkError(f"{work}: nothing has been measured")
    plots.draw(results, BENCHMARKS / "plots")
    used = {program: version for of in sorted(made.values(), key=lambda of: of["date"])
            for program, version in of["versions"].items()}
    rows = targets.rows(results)
    put("RESULTS.md", [
        "# Results\n\nMade by `Benchmarks/bench report` of what its parts measured last, each by itself; "
        "[README.md](README.md) says what is measured and how, and what the layouts are. The same command "
        "makes `tables.md`, with all that was measured, and the folder `plots`; neither is kept.\n",
        provenance(made),
        *([failed(failures)] if failures else []),
        f"## Decided\n\nA ratio is decided if the 95 % interval of its median, of at least {PAIRS_MIN} "
        "pairs, is on one side of the target and extends at most 5 % from the median. Allocations and "
        "memory are counts, not samples; of several runs the largest memory figure decides.\n",
        table(["figure", "target", "measured: median (95 %)", "pairs", "verdict", "that is, in medians"],
              [row.cells() for row in rows if row.is_decided], numbers_from=6),
        *([undecided(lines)] if (lines := targets.undecided_lines(rows)) else []),
        (BENCHMARKS / "bounds.md").read_text(),
        "Programs: " + "; ".join(
            version if program.split()[0] in version else f"{program} {version}"
            for program, version in used.items()) + ".\n",
    ])
    put("tables.md", [
        "# Tables\n\nWhat [RESULTS.md](RESULTS.md) is of. A figure is the median of runs taken in turn, with "
        "its range, or with the 95 % interval of the median where it says so.\n",
        provenance(made),
        section("Merges, loop devices in memory", copies(results, "ram"), "copy-ram"),
        section("Merges, files on the disk", copies(results, "disk"), "copy-disk"),
        section("Plans", plans(results) + "\n" + aged(results), "plan"),
        section("Heap, memory and resume", costs(results)),
        section("Micro-benchmarks", micros(results)),
        section("Other mergers, in an emulated machine", others(results)),
    ])


def put(name, sections):
    (BENCHMARKS / name).write_text("\n".join(text.rstrip() + "\n" for text in sections if text))
    print(f"written: {BENCHMARKS / name}")


def section(head, text, plot=None):
    """Empty where there is nothing to tell."""
    if not text.strip():
        return ""
    is_drawn = plot and (BENCHMARKS / "plots" / f"{plot}.svg").exists()
    return f"## {head}\n\n" + (f"![{plot}](plots/{plot}.svg)\n\n" if is_drawn else "") + text
