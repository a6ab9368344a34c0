"""A merge against the other programs that copy blocks, on the same blocks, and against fio."""

import json

from . import grounds, images, results
from .fio import run_fio
from .measure import ratios, run_facts, run_in_turn, run_measured
from .names import QEMU
from .targets import AGAINST_FIO
from .tools import BenchmarkError, installed, need_tool

NO_PEERS = ("thin-merge", "fio")
PROGRAMS = ("thin-merge", QEMU, "qemu-img commit -t writeback", "ddrescue", "bmaptool",
            "dd for each run", "fio")
FIO_DEPTH = 32
QUEUE_DEPTH = 64


def thin_merge(program, ground, layout):
    folder = ground.folder
    journal, report = folder / "merge.journal", folder / "thin-merge.json"
    command = [program, "merge", "--metadata", folder / "meta.img", "--data", ground.devices["data"],
               "--dev-id", "1", "--inactive", "--origin", ground.devices["origin"],
               "--queue-depth", QUEUE_DEPTH, "--journal", journal, "--yes", "--progress", "none",
               "--output", "json"]

    def contestant():
        # Without its journal each merge is a new one; on the old one it would compare instead.
        journal.unlink(missing_ok=True)
        run = run_measured(command, report)
        said = json.loads(report.read_text())
        if said["state"] != "finished" or said["bytes_written"] != layout.merged_bytes:
            raise BenchmarkError(f"not a whole merge: {said}")
        return run

    return contestant


def qemu_commit(cache, ground):
    # -d: the overlay is not emptied, and serves the next run.
    command = [need_tool("qemu-img", "qemu-utils"), "commit", "-q", "-d", "-f", "qcow2", "-t", cache,
               ground.devices["overlay"]]
    return lambda: run_measured(command, ground.folder / f"qemu-{cache}.out")


def ddrescue(ground):
    domain, rescued = ground.folder / "domain.map", ground.folder / "rescue.map"
    # Direct on both sides, 1 MiB at a time as thin-merge.
    command = [need_tool("ddrescue", "gddrescue"), "-q", "-f", "-d", "-D", "-c", "2048",
               "-m", domain, ground.devices["logical"], ground.devices["origin"], rescued]

    def contestant():
        rescued.unlink(missing_ok=True)
        return run_measured(command, ground.folder / "ddrescue.out", sync=ground.devices["origin"])

    return contestant


def bmaptool(ground):
    program = need_tool("bmaptool", "bmap-tools")

    def contestant():
        with ground.origin_as_block_device() as origin:
            return run_measured([program, "-q", "copy", "--bmap", ground.folder / "image.bmap",
                                 ground.devices["logical"], origin], ground.folder / "bmaptool.out")

    return contestant


def dd_loop(ground):
    return lambda: run_measured(["sh", ground.folder / "dd.sh"], ground.folder / "dd.out",
                                sync=ground.devices["origin"])


def fio(ground, layout):
    """One process, one thread that reads and one that writes, the requests of the merge; its time is
    that of the longer job as it reports it itself, without start-up."""
    reads, writes = ground.folder / "reads.iolog", ground.folder / "writes.iolog"
    common = ["--ioengine=libaio", "--direct=1", "--thread", f"--iodepth={FIO_DEPTH}",
              "--replay_no_stall=1"]
    words = ["--name=read", *common, f"--read_iolog={reads}", "--readwrite=read",
             "--name=write", *common, f"--read_iolog={writes}", "--readwrite=write"]
    # At the end of an iolog fio waits for what is in flight, but does not count it.
    uncounted = FIO_DEPTH * max(1 << 20, layout.block_bytes)

    def contestant():
        run, done = run_fio(words, ground.folder / "fio.json")
        for kind, byte_count in done.items():
            if not layout.merged_bytes - uncounted <= byte_count <= layout.merged_bytes:
                raise BenchmarkError(f"fio: {kind} {byte_count} bytes, not {layout.merged_bytes}")
        return run

    return contestant


def contestants(ground, layout):
    """thin-merge, its peers, and fio, which is no peer."""
    return dict(zip(PROGRAMS, (
        thin_merge(installed(), ground, layout), qemu_commit("none", ground),
        qemu_commit("writeback", ground), ddrescue(ground), bmaptool(ground), dd_loop(ground),
        fio(ground, layout)), strict=True))


def prepare(ground, layout):
    data, origin = ground.devices["data"], ground.devices["origin"]
    images.write_metadata(ground.folder / "meta.img", layout,
                          need_tool("thin_restore", "thin-provisioning-tools"))
    (ground.folder / "origin").unlink()
    (ground.folder / "origin").symlink_to(origin)
    images.write_domain_map(ground.folder / "domain.map", layout)
    images.write_block_map(ground.folder / "image.bmap", layout)
    images.write_dd_loop(ground.folder / "dd.sh", layout, data, origin)
    images.write_iologs(ground.folder / "reads.iolog", ground.folder / "writes.iolog", layout, data,
                        origin)


def best_peer(runs):
    """The peer that thin-merge is least ahead of, or None."""
    ahead = {name: ratios(of, runs["thin-merge"], "seconds")["median"] for name, of in runs.items()
             if name not in NO_PEERS}
    return min(ahead, key=ahead.get, default=None)


def targeted(ground_name, layout_name, runs):
    """The ratios that have a target."""
    found = [(best_peer(runs), "thin-merge", "seconds"), ("thin-merge", QEMU, "processor_seconds"),
             ("thin-merge", QEMU, "machine_seconds")]
    if layout_name in AGAINST_FIO[ground_name]:
        found.append(("fio", "thin-merge", "seconds"))
    if (ground_name, layout_name) == ("ram", "shuffled"):
        found.append((QEMU, "thin-merge", "seconds"))
    return [of for of in found if of[0] in runs and of[1] in runs]


def compare(work, ground_name, layout, rounds, seed, only=None):
    """All contestants in turn on one layout, and keeps the results; with `only`, those, and keeps nothing."""
    with grounds.GROUNDS[ground_name](
            work, lambda folder: images.write_images(folder, layout, seed)) as ground:
        print(f"  {layout.title}, on {ground.title}", flush=True)
        prepare(ground, layout)
        sample, origin = images.Sample(layout, seed), ground.devices["origin"]
        sample.spoil(origin)

        def after_warm_up(name):
            # fio writes what it has in its buffers: there is nothing to check.
            if name != "fio":
                sample.check(origin, name)
                sample.spoil(origin)

        entrants = contestants(ground, layout)
        if only:
            entrants = {name: of for name, of in entrants.items()
                        if name in ("thin-merge", *only)}
        runs = run_in_turn(entrants, rounds, lambda runs: targeted(ground_name, layout.name, runs),
                           ground.forget, after_warm_up)
    ours = runs["thin-merge"]
    facts = {"layout": layout.title, "ground": ground.title, "merged_bytes": layout.merged_bytes,
             "best_peer": best_peer(runs), "runs": run_facts(runs),
             "speed": {name: ratios(of, ours, "seconds") for name, of in runs.items()
                       if name != "thin-merge"},
             "processor": {name: ratios(ours, of, "processor_seconds")
                           for name, of in runs.items() if name not in NO_PEERS},
             "machine": {name: ratios(ours, of, "machine_seconds")
                         for name, of in runs.items() if name not in NO_PEERS}}
    for name, ratio in facts["speed"].items():
        low, high = ratio["interval"]
        print(f"    speed against {name}: {ratio['median']:.3f} ({low:.3f} to {high:.3f})",
              flush=True)
    if not only:
        results.save(work, f"copy-{ground_name}-{layout.name}", facts)
