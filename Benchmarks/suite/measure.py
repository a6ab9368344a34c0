"""Running programs in turn, and the statistics of what was measured."""

import math
import os
import pathlib
import random
import statistics
import subprocess
import time

from .tools import BenchmarkError, measuring_program, preloaded_library

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
# With fewer pairs a ratio has no verdict.
PAIRS_MIN = 11
# Above this half-width of its interval, as a share of the median, a ratio is measured in further rounds.
NARROW_HALF_WIDTH = 0.05
# A contestant this many times slower than the first runs in three rounds, or in one.
SLOW_FACTOR, VERY_SLOW_FACTOR = 2.5, 20


class Run:
    """One run of a program.

    `seconds` by the wall clock; `processor_seconds` user and system time of the process and its
    children; `machine_seconds` all processor time of the machine meanwhile, kernel threads included;
    `peak_bytes` the most memory that one of its processes had; `read_bytes` what was read from devices.
    A figure that was not measured is None.
    """

    def __init__(self, seconds, processor_seconds=None, machine_seconds=None, peak_bytes=None,
                 read_bytes=None, output=None):
        self.seconds = seconds
        self.processor_seconds = processor_seconds
        self.machine_seconds = machine_seconds
        self.peak_bytes = peak_bytes
        self.read_bytes = read_bytes
        self.output = output

    def facts(self):
        return {name: value for name, value in vars(self).items()
                if name != "output" and value is not None}


class Rounds:
    """How often contestants run: `count` rounds, and more where an interval is still wide, up to
    `count_max` and for no longer than `extra_seconds`. `seed` decides the order in each round."""

    def __init__(self, count, count_max, extra_seconds, seed):
        self.count = count
        self.count_max = count_max
        self.extra_seconds = extra_seconds
        self.seed = seed

    def at_most(self, count):
        """The same with fewer rounds, and none after them."""
        return Rounds(min(count, self.count), 0, 0, self.seed)


def busy_seconds():
    """Processor time that the machine has spent on anything, of all processors."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def run_measured(command, output_path, environment=None, sync=None):
    """Runs the command with its standard output in a file, and measures it as the kernel does.

    `sync`: a file to be made durable within the measured time, for programs that do not do it.
    """
    command = [str(word) for word in command]
    usage = pathlib.Path(f"{output_path}.usage")
    with open(output_path, "wb") as output, open(f"{output_path}.err", "wb") as errors:
        busy = busy_seconds()
        child = subprocess.Popen([measuring_program(), usage, *command], stdin=subprocess.DEVNULL,
                                 stdout=output, stderr=errors,
                                 env={**os.environ, **(environment or {})})
        try:
            status = child.wait()
        except BaseException:
            child.kill()  # The program that it runs ends with it.
            child.wait()
            raise
        ended = time.monotonic()
        if sync is not None:
            descriptor = os.open(sync, os.O_RDWR)
            os.fdatasync(descriptor)
            os.close(descriptor)
        sync_seconds = time.monotonic() - ended if sync is not None else 0
        machine_seconds = busy_seconds() - busy
    if status != 0:
        tail = pathlib.Path(f"{output_path}.err").read_text(errors="replace").strip()
        raise BenchmarkError(f"{' '.join(command)}\nended with status {status}: {tail[-2000:]}")
    nanoseconds, user, system, peak_kib, blocks = map(int, usage.read_text().split())
    return Run(nanoseconds / 1e9 + sync_seconds, (user + system) / 1e6, machine_seconds,
               peak_kib * KIB, blocks * 512, pathlib.Path(output_path))


def run_counting_heap(command, output_path, environment=None):
    """(the run, how often it called the heap for memory); what it preloads is kept."""
    environment = environment or {}
    counts = pathlib.Path(f"{output_path}.heap")
    preloaded = [str(preloaded_library("heap/count.c")), environment.get("LD_PRELOAD")]
    run = run_measured(command, output_path, environment={
        **environment, "HEAP_COUNTS": str(counts), "LD_PRELOAD": ":".join(filter(None, preloaded))})
    return run, sum(int(field.split("=")[1]) for field in counts.read_text().split()
                    if not field.startswith("free"))


def run_in_turn(contestants, rounds, targets=lambda runs: (), before=lambda: None,
                after_warm_up=lambda name: None):
    """Runs each contestant once to warm up, then all of them in turn, in another order each round.

    `contestants` maps a name to a function that runs it once and returns a Run; `before` is called
    ahead of each. The result maps each name to its runs, with None for the rounds that it sat out: a
    slow one runs in three rounds, a very slow one not again, its first run counts. `targets` tells, of
    such runs, the ratios that have a target, as arguments of `ratios` by names: whom they name runs in every
    round, and in more, as `rounds` allows, until the intervals are narrow.
    """
    def one_run(name):
        before()
        return contestants[name]()

    runs = {}
    for name in contestants:
        runs[name] = [one_run(name)]
        after_warm_up(name)
        print(f"    warmed up: {name}, {runs[name][0].seconds:.3f} s", flush=True)
    warm = {name: of[0].seconds for name, of in runs.items()}
    first = next(iter(warm.values()))
    always = {name for over, under, _ in targets(runs) for name in (over, under)}
    turns = {name: set(range(rounds.count)) if seconds <= SLOW_FACTOR * first or name in always
             else set() if seconds > VERY_SLOW_FACTOR * first
             else {0, rounds.count // 2, rounds.count - 1} for name, seconds in warm.items()}
    runs = {name: [] if turns[name] else of + [None] * (rounds.count - 1)
            for name, of in runs.items()}

    generator = random.Random(rounds.seed)

    def one_round(names, number):
        # Those that are compared for a target run one after another: the machine changes meanwhile.
        blocks = [[name for name in names if (name in always) == among] for among in (True, False)]
        for block in generator.sample(blocks, len(blocks)):
            for name in generator.sample(block, len(block)):
                runs[name].append(one_run(name))
        for of in runs.values():
            of.extend([None] * (number + 1 - len(of)))
        line = "  ".join(f"{name} {of[number].seconds:.3f}" for name, of in runs.items()
                         if of[number])
        print(f"    {number + 1:2}  {line}", flush=True)

    for number in range(rounds.count):
        one_round([name for name in contestants if number in turns[name]], number)
    # Not as it was after the warm-up: another peer may be the fastest by now.
    always = {name for over, under, _ in targets(runs) for name in (over, under)}
    begun = time.monotonic()
    for number in range(rounds.count, rounds.count_max):
        wide = {name for over, under, figure in targets(runs) for name in (over, under)
                     if not is_narrow(ratios(runs[over], runs[under], figure))}
        if not wide or time.monotonic() - begun > rounds.extra_seconds:
            break
        one_round([name for name in contestants if name in wide], number)
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


def half_width(ratio):
    """Of the interval's longer side, as a share of the median."""
    (low, high), median = ratio["interval"], ratio["median"]
    return max(high - median, median - low) / median if median else 0


def is_narrow(ratio):
    return ratio["count"] >= PAIRS_MIN and half_width(ratio) <= NARROW_HALF_WIDTH


def ratios(over, under, figure):
    """`figure` of each run of `over` by that of the run of `under` in the same round."""
    return summary([getattr(a, figure) / getattr(b, figure)
                    for a, b in zip(over, under) if a and b])


def run_facts(runs):
    """The facts to keep of the runs of one comparison, for the results file."""
    facts = {}
    for name, of in runs.items():
        done = [run for run in of if run]
        facts[name] = {figure: summary([getattr(run, figure) for run in done])
                       for figure in done[0].facts()}
    return facts
