"""RESULTS.md from the recorded results; on request, tables of everything and plots."""

import statistics

from . import targets
from . import results as results_files
from .layouts import all_layouts
from .measure import GIB, MIB, PAIRS_MIN
from .metadata import MILLIONS
from .names import QEMU, TOOLS_VERSION, short
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
    """Machine, kernel and date, and the commit of each part."""
    text = "; ".join(dict.fromkeys(
        "{date:.10}, {processors} x {processor}, {memory_gib} GiB, Linux {kernel}".format(
            date=of["date"], **of["machine"])
        for of in sorted(made.values(), key=lambda of: of["date"], reverse=True))) + "."
    by_commit = {}
    for name, of in made.items():
        by_commit.setdefault(of["commit"], []).append(name)
    if len(by_commit) == 1:
        return f"{text} Commit {next(iter(by_commit))}.\n"
    return f"{text} Commits: " + "; ".join(
        f"**{commit}** for {', '.join(grouped(names))}" for commit, names in by_commit.items()) + ".\n"


def grouped(names):
    """copy-disk-runs and copy-disk-vm as "copy-disk (runs, vm)"."""
    groups = {}
    for name in names:
        head, _, last = name.partition("-")
        if "-" in last:
            first, _, last = last.partition("-")
            head = f"{head}-{first}"
        groups.setdefault(head, []).append(last)
    return [head if of == [""] else f"{head}-{of[0]}" if len(of) == 1 else f"{head} ({', '.join(of)})"
            for head, of in groups.items()]


def failed(failures):
    return "## Parts that failed\n\n" + "".join(
        f"- {part}, at {of['commit']}: `{' '.join(of['error'].split())[-300:]}`\n"
        for part, of in failures.items())


def merges(results):
    """How fast each program is on each layout, and what thin-merge and qemu-img take for it."""
    peers = (QEMU, "ddrescue", "dd for each run", "fio")
    lines = []
    for ground, shown in (("ram", "RAM"), ("disk", "disk")):
        for layout in all_layouts(1):
            if facts := results.get(f"copy-{ground}-{layout.name}"):
                runs, mib = facts["runs"], facts["merged_bytes"] / MIB
                lines.append([
                    f"{shown}, {layout.name}",
                    *(f"{mib / runs[name]['seconds']['median']:.0f}" if name in runs else ""
                      for name in ("thin-merge", *peers)),
                    *(f"{runs[name]['processor_seconds']['median'] / mib * 1024:.3f}" if name in runs else ""
                      for name in ("thin-merge", QEMU)),
                    peak(runs["thin-merge"])])
    return lines and (
        "## Merge\n\nA merge of 2 GiB, in MiB/s; then processor time of the process in seconds for each GiB, and peak "
        "memory in MiB. Medians. *scattered*: 64 KiB blocks, none adjacent to another. *shuffled*: contiguous on the "
        "origin, in random order in the pool. *runs*: 1 to 64 MiB each. *vm*: many short runs and few long ones. "
        "*large-blocks*: as scattered, 1 MiB each.\n\n") + table(
        ["", "**thin-merge**", *(f"`{short(peer)}`" for peer in peers), "processor time",
         f"of `{short(QEMU)}`", "memory"], lines)


def readings(results):
    """How long a plan takes, beside the tools that read the same metadata."""
    tools = [f"{tool} {TOOLS_VERSION}" for tool in ("thin_check", "thin_dump", "thin_rmap")]
    lines = []
    for order in ("shuffled", "contiguous"):
        for count in MILLIONS.values():
            if count > 10**7 and (facts := results.get(f"plan-{order}-{count}")):
                runs = facts["runs"]
                lines.append([f"{count:,} {order}",
                              *(f"{runs[name]['seconds']['median']:.3f}" if name in runs else ""
                                for name in ("thin-merge plan", *tools)),
                              *(peak(runs[name]) if name in runs else ""
                                for name in ("thin-merge plan", tools[0]))])
    return lines and ("## Plan and resume\n\nSeconds to read and check the mappings of a thin device, and peak memory "
                      "in MiB. Medians.\n\n") + table(
        ["mappings", "**thin-merge plan**", *(f"`{tool}`" for tool in tools), "memory", "of `thin_check`"], lines)


def resumes(results):
    if not (facts := results.get("resume")):
        return ""
    return (f"A resume of a merge of {facts['count']:,} blocks, half of them done, makes its first write after "
            f"{facts['runs']['resume']['seconds']['median']:.3f} s (median; a plan: "
            f"{facts['runs']['plan']['seconds']['median']:.3f} s). That whole merge, with the I/O of data and origin "
            f"swallowed, takes {facts['whole']['seconds']:.1f} s, "
            f"{facts['whole']['processor_seconds']:.1f} processor seconds and a journal of "
            f"{facts['whole_journal_bytes'] / MIB:.0f} MiB.\n")


def lead(results):
    """The figures that a user asks for first."""
    found = {ground: facts for ground in ("RAM", "disk")
             if (facts := results.get(f"copy-{ground.lower()}-scattered")) and QEMU in facts["speed"]}
    if not found:
        return ""
    return (f"thin-merge merges scattered 64 KiB blocks {both(found, 'speed')} times as fast as `{QEMU}`, and takes "
            f"{both(found, 'processor')} of its processor time (medians of pairs). `fio`, with the same reads and writes "
            "and nothing else to do, stands for what the devices give.\n")


def both(found, figure):
    return " and ".join(f"{facts[figure][QEMU]['median']:.3g} ({ground})" for ground, facts in found.items())


def verdicts(rows):
    return ("## Targets\n\nA ratio is the median of pairs of runs, with its 95 % interval. **Reached**: all of the "
            "interval is on the right side of the target. **Missed**: all of it is on the other. **Open**: it contains "
            f"the target, or there are fewer than {PAIRS_MIN} pairs. Memory and allocations are counted.\n\n") + table(
        ["figure", "target", *targets.VERDICTS], targets.lines(rows), numbers_from=5)


def bounds(rows):
    """The bound of each goal that is missed or open, from bounds.md, whose first paragraph is about all."""
    first, _, rest = (BENCHMARKS / "bounds.md").read_text().partition("\n\n- ")
    known = {item[2:item.index("**: ")]: f"- {one_line(item)}\n" for item in rest.split("\n- ")}
    goals = dict.fromkeys(row.goal for row in rows if row.verdict != targets.REACHED)
    return f"## Why some are missed or open\n\n{one_line(first)}\n\n" + "".join(
        known.get(goal, f"- **{goal}**: not known yet\n") for goal in goals)


def one_line(text):
    return " ".join(text.split())


def page(results, made, failures):
    used = {program: version for of in sorted(made.values(), key=lambda of: of["date"])
            for program, version in of["versions"].items()}
    rows = targets.rows(results)
    return joined([
        "# How fast thin-merge is\n",
        lead(results),
        provenance(made),
        *([failed(failures)] if failures else []),
        merges(results),
        readings(results),
        resumes(results),
        verdicts(rows),
        bounds(rows),
        "Programs: " + "; ".join(
            version if program.split()[0] in version else f"{program} {version}"
            for program, version in used.items()) + ". Written by `Benchmarks/bench report` from "
        "[recorded.json](recorded.json); [README.md](README.md) describes the method, and how to get every figure.\n",
    ])


def details(results, made):
    """Every figure that was recorded, and what was once answered."""
    return joined([
        "# Tables\n\nAll recorded figures behind [RESULTS.md](RESULTS.md): medians of runs taken in turn, with their "
        "range, or with the 95 % interval of the median where the table says so.\n",
        provenance(made),
        section("Merges, loop devices in memory", copies(results, "ram"), "copy-ram"),
        section("Merges, files on the disk", copies(results, "disk"), "copy-disk"),
        section("Plans", plans(results) + "\n" + aged(results), "plan"),
        section("Heap, memory and resume", costs(results)),
        section("Micro-benchmarks", micros(results)),
        section("Other mergers, in an emulated machine", others(results)),
        (BENCHMARKS / "answered.md").read_text(),
    ])


def load():
    results, made, failures = results_files.load()
    if not results:
        raise BenchmarkError(f"{BENCHMARKS / results_files.RECORDED}: nothing has been measured")
    return results, made, failures


def write(work):
    """Records what was measured in the work folder, and makes the page of all that is recorded."""
    results_files.record(work)
    put("RESULTS.md", page(*load()))


def write_details():
    results, made, _ = load()
    try:
        from . import plots  # Here, since matplotlib is for the plots alone.
        plots.draw(results, BENCHMARKS / "plots")
    except ModuleNotFoundError as error:
        print(f"bench: note: no plots: {error}")
    put("tables.md", details(results, made))


def check():
    """Fails unless RESULTS.md is the page that the recorded results make."""
    if (BENCHMARKS / "RESULTS.md").read_text() != page(*load()):
        raise BenchmarkError("Benchmarks/RESULTS.md is not what Benchmarks/bench report makes of the recorded results")


def joined(sections):
    return "\n".join(text.rstrip() + "\n" for text in sections if text)


def put(name, text):
    (BENCHMARKS / name).write_text(text)
    print(f"written: {BENCHMARKS / name}")


def section(head, text, plot=None):
    """Empty where there is nothing to tell."""
    if not text.strip():
        return ""
    is_drawn = plot and (BENCHMARKS / "plots" / f"{plot}.svg").exists()
    return f"## {head}\n\n" + (f"![{plot}](plots/{plot}.svg)\n\n" if is_drawn else "") + text
