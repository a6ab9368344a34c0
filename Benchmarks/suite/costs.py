"""How much heap and memory a merge takes, and how soon a resumed one writes."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

from . import planning, results
from .grounds import attach
from .measure import (KIB, MIB, Run, ratios, run_counting_heap, run_facts, run_in_turn,
                      run_measured)
from .metadata import BLOCK_BYTES, MILLIONS, MetadataInput
from .tools import BenchmarkError, evict, installed, preloaded_library


@contextlib.contextmanager
def swallowed(work, trixie, count, seed):
    """Shuffled mappings whose data and origin swallow all I/O; yields (input, command, environment)."""
    source = MetadataInput(work, "shuffled", count).make(trixie, seed)
    with contextlib.ExitStack() as stack:
        # The origin is a device, since the holes of a file would be allocated.
        origin = attach(source.path("origin"), stack)
        command = [installed(), "merge", "--metadata", source.path("meta"), "--data",
                   source.path("data"), "--dev-id", "1", "--inactive", "--origin", origin,
                   "--journal", source.folder / "merge.journal", "--yes", "--output", "json"]
        yield source, command, {
            "LD_PRELOAD": str(preloaded_library("null/io.c")),
            "NULL_DATA": str(source.path("data")), "NULL_ORIGIN": str(origin)}


def heap(work, trixie, seed, keep):
    """Calls of the heap's functions per transfer of a merge and per node of a plan: what twice, or 32
    times, as many take more. Start-up alone differs by a few calls from run to run."""
    calls, nodes = {}, {}
    few, many = 1 << 19, {"merge": 1 << 20, "plan": MILLIONS["16.7"]}
    for verb, count in [("merge", few), ("plan", few), *many.items()]:
        with swallowed(work, trixie, count, seed) as (source, command, environment):
            words = [*command, "--progress", "none"] if verb == "merge" else [
                command[0], "plan", *source.arguments(), "--output", "json"]
            (source.folder / "merge.journal").unlink(missing_ok=True)
            run, calls[verb, count] = run_counting_heap(words, source.folder / "heap.json", environment)
            if verb == "plan":
                nodes[count] = run.read_bytes // planning.NODE_BYTES
            if not keep:
                source.remove()
    facts = {"calls": {f"{verb} {count}": of for (verb, count), of in calls.items()},
             "per_transfer": (calls["merge", many["merge"]] - calls["merge", few])
             / (many["merge"] - few),
             "per_node": (calls["plan", many["plan"]] - calls["plan", few])
             / (nodes[many["plan"]] - nodes[few])}
    print(f"    heap calls: {facts['per_transfer']:.6f} per transfer, {facts['per_node']:.6f} per node")
    results.save(work, "heap", facts)


def memory(work, trixie, seed, keep):
    """The most memory of a whole merge of 100 million blocks, in no order, without I/O, but with all
    pages of its buffers in use as if there were some."""
    count = MILLIONS["100"]
    with swallowed(work, trixie, count, seed) as (source, command, environment):
        journal = source.folder / "merge.journal"
        journal.unlink(missing_ok=True)
        print(f"  merging {count} blocks without I/O", flush=True)
        run = run_measured([*command, "--progress", "none"], source.folder / "memory.json",
                           environment={**environment, "NULL_TOUCH": "1"})
        journal.unlink()
        if not keep:
            source.remove()
    facts = {"count": count, **run.facts(), "buffer_bytes": buffer_bytes(BLOCK_BYTES)}
    print(f"    {run.peak_bytes / MIB:.0f} MiB", flush=True)
    results.save(work, "memory", facts)


def buffer_bytes(largest, depth=64, io_bytes=MIB):
    """Returns the byte count of a merge's data buffers: `io_bytes` for each request in flight, but no
    more than two slots for each, which have two buffers of the largest transfer."""
    return min(depth * io_bytes, 2 * depth * 2 * largest)


def resume(work, trixie, rounds, seed, keep):
    """How long a resumed merge of 16.7 million blocks takes until its first new write, and the whole
    merge."""
    count = MILLIONS["16.7"]
    with swallowed(work, trixie, count, seed) as (source, command, environment):
        journal, kept = source.folder / "merge.journal", source.folder / "kept.journal"
        journal.unlink(missing_ok=True)
        print(f"  resuming {count} blocks at the half", flush=True)
        stop_half_way([*map(str, command), "--progress", "json"], environment,
                      count * 64 * KIB // 2)
        shutil.copyfile(journal, kept)
        noted = source.folder / "first-write"

        def resumed():
            shutil.copyfile(kept, journal)
            # A journal of an earlier run is on the disk: writing this copy out is not the resume's.
            evict(journal)
            noted.unlink(missing_ok=True)
            return until_first_write([command[0], "resume", journal, "--yes", "--progress", "none"],
                                     {**environment, "NULL_FIRST_WRITE": str(noted)}, noted)

        # The library that swallows I/O slows both.
        runs = run_in_turn({"plan": planning.plan(command[0], source, source.folder,
                                                  environment=environment),
                            "resume": resumed}, rounds, lambda runs: [("resume", "plan", "seconds")])
        journal.unlink()
        whole = run_measured([*command, "--progress", "none"], source.folder / "whole.json",
                             environment=environment)
        facts = {"count": count, "runs": run_facts(runs), "journal_bytes": kept.stat().st_size,
                 "time": ratios(runs["resume"], runs["plan"], "seconds"),
                 "whole": whole.facts(), "whole_journal_bytes": journal.stat().st_size}
        journal.unlink()
        kept.unlink()
        if not keep:
            source.remove()
    print(f"    until the first write: {facts['time']['median']:.3f} of a plan", flush=True)
    results.save(work, "resume", facts)


def stop_half_way(command, environment, byte_count):
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, env={**os.environ, **environment}, text=True)
    try:
        for line in child.stderr:
            said = json.loads(line)
            if said["type"] == "error":
                raise BenchmarkError(said["message"])
            if said["type"] == "progress" and said["done_bytes"] >= byte_count and said[
                    "phase"] == "merging":
                child.send_signal(signal.SIGINT)
                break
        child.stderr.read()
        if child.wait() != 3:
            raise BenchmarkError("the merge did not stop half-way")
    finally:
        end(child)


def until_first_write(command, environment, noted):
    begun = time.monotonic_ns()
    child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, env={**os.environ, **environment})
    try:
        while not (noted.exists() and noted.read_text().endswith("\n")):
            if child.poll() is not None:
                raise BenchmarkError("the resumed merge ended without a write")
            time.sleep(0.01)
    finally:
        end(child)
    return Run((int(noted.read_text()) - begun) / 1e9)


def end(child):
    child.kill()
    child.wait()
