"""The micro-benchmarks of the Swift package: their times, and their instructions and calls of the heap."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

from . import results
from .measure import run_counting_heap
from .tools import BENCHMARKS, SCRATCH, built, need_tool

# The parts of bench-rounds, a title for a round of each, and the two counts of rounds to compare: their
# difference does not have the one-time cost of a run.
LEAVES, ONES = (1, 3), (512, 1536)
ROUNDS = {"leaf": ("a leaf of 252 mappings decoded", ONES),
          "shuffled-runs": ("1000 leaves of shuffled mappings read, with a reader of their own", LEAVES),
          "contiguous-runs": ("1000 leaves of contiguous mappings read, the same", LEAVES),
          "plan": ("1000 leaves of shuffled mappings read and added to a plan", LEAVES),
          "transfer": ("a transfer of 64 KiB turned around", ONES),
          "joined-transfer": ("a transfer of 16 x 64 KiB turned around", ONES),
          "journal-entry": ("a journal entry appended", ONES),
          "journal-record": ("a journal record of 2048 entries decoded", ONES),
          "checksum": ("a checksum of 64 KiB", ONES)}


def measure(work):
    times = subprocess.run(
        [os.environ.get("SWIFT", "swift"), "package", "--package-path", BENCHMARKS, "--scratch-path",
         SCRATCH, "benchmark", "--no-progress", "--format", "jmh", "--path",
         "stdout"], check=True, capture_output=True, text=True).stdout
    found = []
    for result in json.loads(times[times.index("["):times.rindex("]") + 1]):
        found.append({"name": result["benchmark"],
                      "percentiles": result["primaryMetric"]["scorePercentiles"]})
    with tempfile.TemporaryDirectory(dir=work) as folder:
        facts = {"times": found, "rounds": rounds(pathlib.Path(folder))}
    results.save(work, "micro", facts)


def rounds(folder):
    """Of each part: user-space instructions of a round, and calls of the heap's functions."""
    program, counts = folder / "bench-rounds", {}
    # Valgrind cannot read what Swift tells a debugger.
    subprocess.run(["strip", "--strip-debug", "-o", program, built("bench-rounds")], check=True)
    for part, (title, few_and_many) in ROUNDS.items():
        few, many = (
            {"instructions": count_instructions(command), "heap_calls": run_counting_heap(command, folder / "rounds")[1]}
            for command in ([program, part, "--rounds", str(count)] for count in few_and_many))
        further = few_and_many[1] - few_and_many[0]
        counts[title] = {figure: (many[figure] - few[figure]) / further for figure in few}
        print(f"    {title}: {counts[title]['instructions']:.0f} instructions, "
              f"{counts[title]['heap_calls']:.3f} heap calls", flush=True)
    return counts


def count_instructions(command):
    """By callgrind, which has no AVX-512."""
    callgrind = [need_tool("valgrind", "valgrind"), "--tool=callgrind",
                 "--callgrind-out-file=/dev/null"]
    done = subprocess.run([str(word) for word in [*callgrind, *command]], check=True,
                          capture_output=True, text=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))
