"""Running programs in turn, and the statistics of what was measured."""

import json
import math
import os
import pathlib
import statistics
import subprocess
import time

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
# Above this half-width of its interval, as a share of the median, a ratio decides nothing.
DECIDABLE_HALF_WIDTH = 0.05
# A contestant this many times slower than the fastest runs in three rounds, or in one.
SLOW_FACTOR, VERY_SLOW_FACTOR = 4, 20


class BenchmarkError(Exception):
    """Something that ends the benchmark, in words for the person who started it."""


class Run:
    """One run of a program.

    `seconds` by the wall clock; `processor_seconds` user and system time of the process and its
    children; `machine_seconds` all processor time of the machine meanwhile, kernel threads included;
    `read_bytes` what was read from devices. Peak memory is not told: the kernel's figure for a child
    counts what it had of this script before exec.
    """

    def __init__(self, seconds, usage, machine_seconds, output):
        self.seconds = seconds
        self.processor_seconds = usage.ru_utime + usage.ru_stime
        self.machine_seconds = machine_seconds
        self.read_bytes = usage.ru_inblock * 512
        self.output = output

    def facts(self):
        return {name: value for name, value in vars(self).items() if name != "output"}


def busy_seconds():
    """Processor time that the machine has spent on anything, of all processors."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def run_measured(command, output_path, statuses=(0,), environment=None, sync=None):
    """Runs the command with its standard output in a file, and measures it as the kernel does.

    `sync`: a file to be made durable within the measured time, for programs that do not do it.
    """
    command = [str(word) for word in command]
    with open(output_path, "wb") as output, open(f"{output_path}.err", "wb") as errors:
        busy = busy_seconds()
        begun = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                                 env={**os.environ, **(environment or {})})
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        if sync is not None:
            descriptor = os.open(sync, os.O_RDWR)
            os.fdatasync(descriptor)
            os.close(descriptor)
        seconds = time.monotonic() - begun
        machine_seconds = busy_seconds() - busy
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in statuses:
        tail = pathlib.Path(f"{output_path}.err").read_text(errors="replace").strip()
        raise BenchmarkError(
            f"{' '.join(command)}\nended with status {child.returncode}: {tail[-2000:]}")
    return Run(seconds, usage, machine_seconds, pathlib.Path(output_path))


def run_in_turn(contestants, rounds, after_warm_up=lambda name: None, always=()):
    """Runs each contestant once unmeasured, then all of them in turn, round after round.

    `contestants` maps a name to a function that runs it once and returns a Run. The result maps each
    name to its runs, None in the rounds that a slow one sat out, if it is not one of `always`.
    """
    warm = {}
    for name, contestant in contestants.items():
        warm[name] = contestant().seconds
        after_warm_up(name)
        print(f"    warmed up: {name}, {warm[name]:.3f} s", flush=True)
    fastest = min(warm.values())
    turns = {name: range(rounds) if seconds <= SLOW_FACTOR * fastest or name in always
             else {0} if seconds > VERY_SLOW_FACTOR * fastest
             else {0, rounds // 2, rounds - 1} for name, seconds in warm.items()}
    runs = {name: [] for name in contestants}
    for number in range(rounds):
        for name, contestant in contestants.items():
            runs[name].append(contestant() if number in turns[name] else None)
        line = "  ".join(f"{name} {of[-1].seconds:.3f}" for name, of in runs.items() if of[-1])
        print(f"    {number + 1:2}/{rounds}  {line}", flush=True)
    return runs


def median_interval(values, confidence=0.95):
    """The narrowest pair of order statistics around the median that holds it with `confidence`.

    Assumes nothing about the distribution: the number of values below the median is binomial with
    p = 1/2. Returns (low, high); the extremes if there are too few values.
    """
    ordered = sorted(values)
    count = len(ordered)
    best = (ordered[0], ordered[-1])
    for rank in range(1, count // 2 + 1):
        outside = 2 * sum(math.comb(count, k) for k in range(rank)) / 2**count
        if 1 - outside < confidence:
            break
        best = (ordered[rank - 1], ordered[count - rank])
    return best


def summary(values):
    """Median, 95 % interval of the median, range, and how many."""
    low, high = median_interval(values)
    return {"median": statistics.median(values), "interval": [low, high],
            "range": [min(values), max(values)], "count": len(values)}


def ratios(over, under, figure):
    """`figure` of each run of `over` by that of the run of `under` in the same round."""
    return summary([getattr(a, figure) / getattr(b, figure)
                    for a, b in zip(over, under) if a and b])


def run_facts(runs):
    """What is kept of the runs of one comparison, for the results file."""
    facts = {}
    for name, of in runs.items():
        done = [run for run in of if run]
        facts[name] = {figure: summary([getattr(run, figure) for run in done])
                       for figure in done[0].facts()}
    return facts


def save_results(work, name, facts):
    folder = work / "results"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(facts, indent=1) + "\n")
    print(f"    kept: {path}", flush=True)
