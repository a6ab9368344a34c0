"""The programs that need device-mapper, in the kernel lab: an emulated machine, so only processor time is told."""

import pathlib
import re
import shutil
import subprocess
import tempfile

from . import results
from .tools import REPOSITORY, BenchmarkError

SCENARIO = "cost-of-other-mergers"
LIBRARIES = ("libudev.so.1", "libgcc_s.so.1", "libm.so.6", "libc.so.6", "libcap.so.2")


def measure(work, trixie, rounds):
    """The machine's processor time for the same 800 blocks of 64 KiB, on the newest kernel of the lab."""
    costs = {}
    with tempfile.TemporaryDirectory(dir=work) as folder:
        extra = pathlib.Path(folder) / "extra"
        extra.mkdir()
        loader, _, libraries, program = trixie.command("thin_migrate")
        shutil.copy(loader, extra / "ld.so")
        shutil.copy(program, extra)
        for library in LIBRARIES:
            shutil.copy(pathlib.Path(libraries.split(":")[0]) / library, extra)
        for _ in range(rounds):
            done = subprocess.run(
                ["env", f"KERNEL_LAB_EXTRA={extra}", REPOSITORY / "scripts" / "kernel-lab",
                 "--kernel", "6.12", SCENARIO], capture_output=True, text=True)
            found = re.findall(r"note cost (\S+) (\d+)", done.stdout)
            if not found:
                raise BenchmarkError(f"the kernel lab says nothing: {done.stdout[-2000:]}{done.stderr[-2000:]}")
            for name, ticks in found:
                costs.setdefault(name, []).append(int(ticks))
            print("    " + "  ".join(f"{name} {ticks}" for name, ticks in found), flush=True)
    results.save(work, "lab", costs)
