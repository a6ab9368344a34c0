"""What the benchmark scripts share: the inputs, running two programs in turn, and the statistics.

Python 3.9 or newer, standard library only. The scripts keep no large object in memory: the kernel
counts what a child had before exec in its peak memory, so a figure below this process's own size
(some 15 MiB) would be hidden, and nothing else is.
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from array import array

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
BLOCK_BYTES = 64 * KIB
SECTORS_PER_BLOCK = BLOCK_BYTES // 512

MIRROR = "http://deb.debian.org/debian"

# The merge input: every second block of the origin is mapped, to a data block of a shuffled order.
MERGE_MAPPINGS = 32768
MERGE_ORIGIN_BLOCKS = 2 * MERGE_MAPPINGS
MERGE_BYTES = MERGE_MAPPINGS * BLOCK_BYTES

# The plan input: every second thin block is mapped, so no run is longer than one block.
PLAN_MAPPINGS = 1 << 24


class BenchmarkError(Exception):
    """Something that ends the benchmark, in words for the person who started it."""


def main_guard(main):
    """Runs `main`, turning what a person can do something about into one line."""
    # A kill must run the clean-up as Ctrl-C does: loop devices and mounts would stay behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main()
    except (BenchmarkError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def add_common_options(parser):
    parser.add_argument(
        "--work", type=pathlib.Path, default=REPOSITORY / ".build" / "benchmarks",
        help="folder for inputs and results (default: .build/benchmarks)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the shuffles (default: 1)")


def add_trixie_option(parser):
    parser.add_argument("--trixie", type=pathlib.Path, metavar="DIR",
                        help="folder with Debian trixie (default: made in the work folder)")


def add_comparison_options(parser):
    add_common_options(parser)
    parser.add_argument("--pairs", type=int, default=11, help="pairs to run (default: 11)")
    parser.add_argument("--thin-merge", default=None, metavar="PATH",
                        help="the binary (default: the release build)")
    parser.add_argument("--other-only", action="store_true",
                        help="run only the other program: tries the set-up without thin-merge")
    parser.add_argument("--keep", action="store_true", help="keep the inputs for another run")


def find_thin_merge(arguments):
    if arguments.other_only:
        return None
    if arguments.thin_merge:
        path = pathlib.Path(arguments.thin_merge).resolve()
    else:
        swift = os.environ.get("SWIFT", "swift")
        shown = subprocess.run([swift, "build", "-c", "release", "--show-bin-path"],
                               cwd=REPOSITORY, check=True, capture_output=True, text=True)
        path = pathlib.Path(shown.stdout.strip()) / "thin-merge"
    if not os.access(path, os.X_OK):
        raise BenchmarkError(f"{path} is not there: run `make build` first")
    return path


def need_tool(name, package):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise BenchmarkError(f"{name} is not installed (Debian package {package})")
    return path


def need_disk(folder, byte_count):
    free = shutil.disk_usage(folder).free
    if free < byte_count:
        raise BenchmarkError(
            f"{folder}: {free / GIB:.1f} GiB free, {byte_count / GIB:.1f} GiB are needed")


# Inputs


def scramble(value, bits, seed):
    """A permutation of 0..<2**bits by number: each step can be undone, so no two values meet.

    A shuffle in constant memory: multiply by an odd number, fold the high bits down, three times.
    """
    mask = (1 << bits) - 1
    half = bits // 2
    for round_number in range(3):
        value = (value * (0x9E3779B1 + 2 * (seed * 3 + round_number)) + seed + round_number) & mask
        value ^= value >> half
    return value


def merge_permutation(seed):
    """Data block of each mapping of the merge input, in thin order."""
    order = array("I", range(MERGE_MAPPINGS))
    random.Random(seed).shuffle(order)
    return order


def block_content(noise, owner, number):
    """64 KiB that no other block has: a piece of the noise with a stamp at its head and tail."""
    start = (number * 4099) % (len(noise) - BLOCK_BYTES)
    stamp = owner + number.to_bytes(8, "little")
    return stamp + noise[start + 16:start + BLOCK_BYTES - 16] + stamp


def merge_noise(seed):
    return random.Random(seed + 1000).randbytes(4 * MIB)


def merge_folder(work):
    return work / "inputs" / "merge"


def plan_folder(work):
    return work / "inputs" / "plan"


def evict(path):
    """Writes the file out and drops its pages from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def write_image(path, blocks):
    with open(path, "wb", buffering=0) as image:
        for block in blocks:
            image.write(block)
    evict(path)


def restore_metadata(metadata, metadata_bytes, lines, thin_restore):
    """Makes a metadata image with thin_restore, which takes its XML from regular files only."""
    with open(metadata, "wb") as image:
        image.truncate(metadata_bytes)
    description = metadata.with_suffix(".xml")
    try:
        with open(description, "w", buffering=MIB) as xml:
            xml.writelines(lines)
        subprocess.run([*thin_restore, "-q", "-i", description, "-o", metadata], check=True)
    finally:
        description.unlink(missing_ok=True)
    evict(metadata)


def xml_lines(mappings, count, data_blocks, group=4096):
    """The XML of one thin device, many mappings to a string."""
    yield (f'<superblock uuid="" time="0" transaction="1" flags="0" version="2" '
           f'data_block_size="{SECTORS_PER_BLOCK}" nr_data_blocks="{data_blocks}">\n'
           f'<device dev_id="1" mapped_blocks="{count}" transaction="0" '
           f'creation_time="0" snap_time="0">\n')
    pending = []
    for thin_block, data_block in mappings:
        pending.append(f'<single_mapping origin_block="{thin_block}" '
                       f'data_block="{data_block}" time="0"/>\n')
        if len(pending) == group:
            yield "".join(pending)
            pending.clear()
    yield "".join(pending)
    yield "</device>\n</superblock>\n"


def is_made(folder, facts):
    try:
        return json.loads((folder / "input.json").read_text()) == facts
    except (OSError, ValueError):
        return False


def begin_input(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def make_merge_input(work, seed):
    """meta.img, data.img and origin.img, 6 GiB; returns the folder."""
    folder = merge_folder(work)
    facts = {"kind": "merge", "mappings": MERGE_MAPPINGS, "seed": seed}
    if is_made(folder, facts):
        return folder
    thin_restore = [need_tool("thin_restore", "thin-provisioning-tools")]
    begin_input(folder)
    need_disk(folder, 6.5 * GIB)
    begun = time.monotonic()
    order = merge_permutation(seed)
    restore_metadata(folder / "meta.img", 8 * MIB,
                     xml_lines(((2 * i, block) for i, block in enumerate(order)),
                               MERGE_MAPPINGS, MERGE_MAPPINGS), thin_restore)
    noise = merge_noise(seed)
    write_image(folder / "data.img",
                (block_content(noise, b"data....", i) for i in range(MERGE_MAPPINGS)))
    write_image(folder / "origin.img",
                (block_content(noise, b"origin..", i) for i in range(MERGE_ORIGIN_BLOCKS)))
    (folder / "input.json").write_text(json.dumps(facts))
    print(f"made the merge input in {time.monotonic() - begun:.0f} s: {folder}", flush=True)
    return folder


def check_merged_origin(origin, seed):
    """Compares every block of the merged origin with what was put into the data image."""
    noise = merge_noise(seed)
    order = merge_permutation(seed)
    with open(origin, "rb", buffering=0) as image:
        for block in range(MERGE_ORIGIN_BLOCKS):
            mapped = block % 2 == 0
            expected = (block_content(noise, b"data....", order[block // 2]) if mapped
                        else block_content(noise, b"origin..", block))
            if image.read(BLOCK_BYTES) != expected:
                kind = "merged" if mapped else "unmapped"
                raise BenchmarkError(f"{origin}: {kind} block {block} is not what it should be")
    evict(origin)


def make_plan_input(work, seed, trixie):
    """meta.img (about 270 MiB), and data.img and origin.img as holes of the right length.

    With trixie's thin_restore, which packs its nodes full; that of older releases, which splits them
    in halves, makes twice the metadata.
    """
    folder = plan_folder(work)
    facts = {"kind": "plan", "mappings": PLAN_MAPPINGS, "seed": seed}
    if is_made(folder, facts):
        return folder
    make_trixie(trixie)
    thin_restore = trixie_command(trixie, "thin_restore")
    begin_input(folder)
    need_disk(folder, 2 * GIB)
    begun = time.monotonic()
    bits = PLAN_MAPPINGS.bit_length() - 1
    restore_metadata(folder / "meta.img", 320 * MIB,
                     xml_lines(((2 * i, scramble(i, bits, seed)) for i in range(PLAN_MAPPINGS)),
                               PLAN_MAPPINGS, PLAN_MAPPINGS), thin_restore)
    for name, blocks in (("data.img", PLAN_MAPPINGS), ("origin.img", 2 * PLAN_MAPPINGS)):
        with open(folder / name, "wb") as image:
            image.truncate(blocks * BLOCK_BYTES)
    (folder / "input.json").write_text(json.dumps(facts))
    used = os.stat(folder / "meta.img").st_blocks * 512
    print(f"made the plan input in {time.monotonic() - begun:.0f} s, "
          f"{used / MIB:.0f} MiB of metadata: {folder}", flush=True)
    return folder


# Debian trixie in a folder


def trixie_folder(work):
    return work / "trixie"


def make_trixie(folder):
    """A minimal Debian trixie with thin-provisioning-tools, about 220 MiB."""
    if not (folder / "usr/sbin/thin_check").exists():
        debootstrap = need_tool("debootstrap", "debootstrap")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"debootstrap: Debian trixie into {folder}", flush=True)
        with open(folder.with_suffix(".log"), "w") as log:
            subprocess.run([debootstrap, "--variant=minbase",
                            "--include=thin-provisioning-tools", "trixie", folder, MIRROR],
                           check=True, stdout=log, stderr=log)


def trixie_command(folder, name):
    """The command that runs a program of that folder through the folder's own loader."""
    loaders = sorted(folder.glob("usr/lib*/ld-linux-*.so.*")) + sorted(
        folder.glob("usr/lib/*/ld-linux-*.so.*"))
    libraries = sorted(folder.glob("usr/lib/*-linux-gnu*"))
    if not loaders or not libraries:
        raise BenchmarkError(f"{folder}: no dynamic loader found")
    return [loaders[0], "--library-path", ":".join(map(str, libraries)),
            folder / "usr/sbin" / name]


# Running


class Run:
    """One run of a program: seconds by the wall clock, processor seconds, peak memory, output."""

    def __init__(self, seconds, usage, output):
        self.seconds = seconds
        self.processor_seconds = usage.ru_utime + usage.ru_stime
        self.peak_bytes = usage.ru_maxrss * KIB
        self.output = output

    def facts(self):
        return {"seconds": self.seconds, "processor_seconds": self.processor_seconds,
                "peak_bytes": self.peak_bytes}


def run_measured(command, output_path, statuses=(0,)):
    """Runs the command with its standard output in a file, and measures it as the kernel does."""
    command = [str(word) for word in command]
    with open(output_path, "wb") as output, open(f"{output_path}.err", "wb") as errors:
        begun = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        seconds = time.monotonic() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in statuses:
        tail = pathlib.Path(f"{output_path}.err").read_text(errors="replace").strip()
        raise BenchmarkError(
            f"{' '.join(command)}\nended with status {child.returncode}: {tail[-2000:]}")
    return Run(seconds, usage, pathlib.Path(output_path))


def run_in_turn(contestants, pairs):
    """Runs each contestant once unmeasured, then all of them in turn: A B A B …

    `contestants` maps a name to a function that runs it once and returns a Run.
    """
    for name, contestant in contestants.items():
        print(f"warming up: {name}", flush=True)
        contestant()
    runs = {name: [] for name in contestants}
    for number in range(1, pairs + 1):
        for name, contestant in contestants.items():
            runs[name].append(contestant())
        line = "  ".join(f"{name} {runs[name][-1].seconds:.3f} s" for name in contestants)
        print(f"{number:3}/{pairs}  {line}", flush=True)
    return runs


# Statistics


def median_interval(values, confidence=0.95):
    """The narrowest pair of order statistics around the median that holds it with `confidence`.

    Assumes nothing about the distribution: the number of values below the median is binomial with
    p = 1/2. Returns (low, high, confidence reached); the extremes if there are too few values.
    """
    ordered = sorted(values)
    count = len(ordered)
    best = (ordered[0], ordered[-1], 1 - 2 * 0.5**count)
    for rank in range(1, count // 2 + 1):
        outside = 2 * sum(math.comb(count, k) for k in range(rank)) / 2**count
        if 1 - outside < confidence:
            break
        best = (ordered[rank - 1], ordered[count - rank], 1 - outside)
    return best


def describe(name, runs, byte_count=None):
    """Two lines about one program's runs."""
    seconds = [run.seconds for run in runs]
    line = (f"{name}: median {statistics.median(seconds):.3f} s, "
            f"range {min(seconds):.3f} to {max(seconds):.3f} s")
    processor = statistics.median(run.processor_seconds for run in runs)
    if byte_count is not None:
        line += f", {byte_count / MIB / statistics.median(seconds):.0f} MiB/s"
        detail = f"{processor / (byte_count / GIB):.2f} processor seconds per GiB"
    else:
        detail = f"{processor:.2f} processor seconds"
    peak = max(run.peak_bytes for run in runs)
    print(f"{line}\n{'':{len(name)}}  {detail}, peak memory {peak / MIB:.1f} MiB")


def describe_ratio(text, ratios):
    low, high, confidence = median_interval(ratios)
    print(f"{text}: median {statistics.median(ratios):.3f}, "
          f"{confidence:.0%} interval {low:.3f} to {high:.3f}, "
          f"range {min(ratios):.3f} to {max(ratios):.3f}, {len(ratios)} pairs")
    return {"median": statistics.median(ratios), "interval": [low, high],
            "confidence": confidence, "pairs": ratios}


def machine_facts():
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {"kernel": os.uname().release, "machine": os.uname().machine, "processor": model,
            "processors": os.cpu_count()}


def describe_machine():
    facts = machine_facts()
    print(f"machine: {facts['processors']} x {facts['processor']}, Linux {facts['kernel']}")


def save_results(work, name, facts):
    folder = work / "results"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    path = folder / f"{name}-{stamp}.json"
    path.write_text(json.dumps({"machine": machine_facts(), **facts}, indent=1) + "\n")
    print(f"results: {path}")


