"""The micro-benchmarks of the Swift package, and what one transfer takes in instructions."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

from . import results
from .measure import KIB
from .tools import BENCHMARKS, SCRATCH, built, need_tool

# The difference of two counts leaves out what a run costs once.
FEW, MANY = 4096, 16384


def measure(work):
    times = subprocess.run(
        [os.environ.get("SWIFT", "swift"), "package", "--package-path", BENCHMARKS, "--scratch-path",
         SCRATCH, "benchmark", "--no-progress", "--format", "jmh", "--path",
         "stdout"], check=True, capture_output=True, text=True).stdout
    found = []
    for result in json.loads(times[times.index("["):times.rindex("]") + 1]):
        metric = result["primaryMetric"]
        found.append({"name": result["benchmark"], "score": metric["score"],
                      "percentiles": metric["scorePercentiles"], "unit": metric["scoreUnit"]})
    facts = {"times": found, "instructions": instructions(work)}
    results.save(work, "micro", facts)


def instructions(work):
    """User-space instructions of bench-parts per transfer, by callgrind, which has no AVX-512."""
    valgrind = need_tool("valgrind", "valgrind")
    counts = {}
    with tempfile.TemporaryDirectory(dir=work) as folder:
        folder = pathlib.Path(folder)
        # Valgrind cannot read what Swift tells a debugger.
        program = folder / "bench-parts"
        subprocess.run(["strip", "--strip-debug", "-o", program, built("bench-parts", BENCHMARKS)],
                       check=True)
        for name, blocks in (("data", MANY), ("origin", 2 * MANY)):
            with open(folder / name, "wb") as image:
                image.truncate(blocks * 64 * KIB)
        for checksums in ("on", "off"):
            for checkpoints in ("on", "off"):
                few, many = (count_instructions(
                    [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", program,
                     folder / "data", folder / "origin", "--count", str(count), "--checksums",
                     checksums, "--checkpoints", checkpoints, "--journal", folder / "journal"])
                    for count in (FEW, MANY))
                counts[f"checksums {checksums}, checkpoints {checkpoints}"] = (
                    (many - few) / (MANY - FEW))
    return counts


def count_instructions(command):
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))
