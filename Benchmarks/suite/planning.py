"""A plan against the tools that read the same metadata, and against fio where nodes lie scattered."""

import contextlib
import json
import shutil

from . import results
from .fio import run_fio
from .grounds import attach, tmpfs
from .measure import GIB, ratios, run_facts, run_in_turn, run_measured
from .metadata import MILLIONS, MetadataInput
from .names import TOOLS_VERSION
from .tools import BenchmarkError, evict, first_line, installed, need_tool

NODE_BYTES = 4096
# That of the target, and as many as the plan has.
FIO_DEPTHS = {"fio": 64, "fio, 128 in flight": 128}
TARGETED = [("thin-merge plan", peer, "seconds") for peer in (
    f"thin_check {TOOLS_VERSION}", f"thin_dump {TOOLS_VERSION}")]


def plan(program, source, folder, metadata=None, environment=None):
    arguments = source.arguments()
    if metadata:
        arguments[1] = metadata
    command = [program, "plan", *arguments, "--output", "json"]

    def contestant():
        run = run_measured(command, folder / "plan.json", environment=environment)
        said = json.loads(run.output.read_text())
        runs = 1 if source.order == "contiguous" else source.count
        if said["mapped_blocks"] != source.count or said["runs"] != runs:
            raise BenchmarkError(f"not the plan of this input: {said}")
        return run

    return contestant


def reader(command, folder):
    return lambda: run_measured(command, folder / "reader.out")


def contestants(source, trixie, folder):
    metadata = source.path("meta")
    region = f"0..{source.count}"
    entrants = {"thin-merge plan": plan(installed(), source, folder)}
    tools = {}
    for tool in (lambda name: [need_tool(name, "thin-provisioning-tools")], trixie.command):
        tools[first_line([*tool("thin_check"), "--version"])] = tool
    if TOOLS_VERSION not in tools:
        raise BenchmarkError(f"thin_check is {' and '.join(tools)}; {TOOLS_VERSION} is needed")
    for version, tool in reversed(tools.items()):
        entrants[f"thin_check {version}"] = reader([*tool("thin_check"), metadata], folder)
        entrants[f"thin_dump {version}"] = reader(
            [*tool("thin_dump"), "-o", "/dev/null", metadata], folder)
        entrants[f"thin_ls {version}"] = reader([*tool("thin_ls"), metadata], folder)
        entrants[f"thin_rmap {version}"] = reader(
            [*tool("thin_rmap"), "--region", region, metadata], folder)
    return entrants


def compare(work, trixie, order, count, rounds, seed, keep):
    source = MetadataInput(work, order, count).make(trixie, seed)
    print(f"  {count} {order} mappings", flush=True)
    runs = run_in_turn(contestants(source, trixie, source.folder), rounds,
                       lambda runs: TARGETED if (order, count) == ("shuffled", MILLIONS["16.7"])
                       else (),
                       lambda: evict(source.path("meta")))
    ours = runs["thin-merge plan"]
    facts = {"order": order, "count": count, "runs": run_facts(runs),
             "time": {name: ratios(ours, of, "seconds") for name, of in runs.items()
                      if name != "thin-merge plan"}}
    for name, ratio in facts["time"].items():
        low, high = ratio["interval"]
        print(f"    time by {name}: {ratio['median']:.4f} ({low:.4f} to {high:.4f})", flush=True)
    results.save(work, f"plan-{order}-{count}", facts)
    if not keep:
        source.remove()


@contextlib.contextmanager
def scattered_nodes(source, ground):
    """The aged metadata as a file on the disk, or on a loop device in memory."""
    if ground == "disk":
        yield source.path("meta")
        return
    with tmpfs(2 * GIB) as folder, contextlib.ExitStack() as stack:
        shutil.copyfile(source.path("meta"), folder / "meta.img")
        yield attach(folder / "meta.img", stack)


def compare_aged(work, trixie, ground, count, rounds, seed, keep):
    source = MetadataInput(work, "aged", count).make(trixie, seed)
    print(f"  {count} mappings whose nodes lie scattered, {ground}", flush=True)
    with scattered_nodes(source, ground) as metadata:
        ours = plan(installed(), source, source.folder, metadata)
        ours()  # The first run reads the program too.
        node_count = ours().read_bytes // NODE_BYTES
        size = node_count * NODE_BYTES

        def fio(depth):
            words = ["--name=nodes", "--ioengine=libaio", "--direct=1", "--thread",
                     f"--iodepth={depth}", "--rw=randread", "--bs=4k", "--norandommap",
                     f"--randseed={seed}", f"--filename={metadata}",
                     f"--size={source.path('meta').stat().st_size}", f"--io_size={size}"]

            def contestant():
                run, done = run_fio(words, source.folder / "fio.json")
                if done["read"] != size:
                    raise BenchmarkError(f"fio read {done['read']} bytes, not {size}")
                return run

            return contestant

        runs = run_in_turn({"thin-merge plan": ours,
                            **{name: fio(depth) for name, depth in FIO_DEPTHS.items()}}, rounds,
                           lambda runs: [("fio", "thin-merge plan", "seconds")],
                           lambda: evict(metadata))
    facts = {"ground": ground, "count": count, "nodes": node_count, "runs": run_facts(runs),
             "speed": {name: ratios(runs[name], runs["thin-merge plan"], "seconds")
                       for name in FIO_DEPTHS}}
    for name, ratio in facts["speed"].items():
        print(f"    speed against {name}: {ratio['median']:.3f} {ratio['interval']}", flush=True)
    results.save(work, f"plan-aged-{ground}", facts)
    if not keep:
        source.remove()
