"""The other programs: where they are, and their versions."""

import functools
import os
import pathlib
import shutil
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
BENCHMARKS = REPOSITORY / "Benchmarks"
SCRATCH = REPOSITORY / ".build" / "bench"
MIRROR = "http://deb.debian.org/debian"


class BenchmarkError(Exception):
    """Something that ends the benchmark, in words for the person who started it."""


def need_tool(name, package):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise BenchmarkError(f"{name} is not installed (Debian package {package})")
    return path


def need_disk(folder, byte_count):
    free = shutil.disk_usage(folder).free
    if free < byte_count:
        raise BenchmarkError(
            f"{folder}: {free >> 30} GiB free, {byte_count / (1 << 30):.1f} GiB are needed")


def need_memory(byte_count):
    fields = dict(line.split(":") for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) << 10
    if free < byte_count:
        raise BenchmarkError(f"{free >> 30} GiB of memory are free, {byte_count >> 30} GiB are needed")


def evict(path):
    """Writes the file out and drops its pages from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


@functools.cache
def built(product):
    """The release build of one of the benchmarks' own programs."""
    base = [os.environ.get("SWIFT", "swift"), "build", "-c", "release", "--package-path",
            str(BENCHMARKS), "--scratch-path", str(SCRATCH)]
    subprocess.run([*base, "--product", product], check=True, stdout=subprocess.DEVNULL)
    shown = subprocess.run([*base, "--show-bin-path"], check=True, capture_output=True, text=True)
    return pathlib.Path(shown.stdout.strip()) / product


@functools.cache
def installed():
    """thin-merge as `make install` builds it, with Swift's runtime inside."""
    subprocess.run([REPOSITORY / "scripts" / "install", "build"], check=True,
                   stdout=subprocess.DEVNULL)
    return REPOSITORY / ".build" / "static" / "release" / "thin-merge"


def compiled(source, *options):
    """Compiles one C file of this folder, and returns the path of the result."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    made = SCRATCH / f"{source.parent.name}-{source.stem}"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", made, source, *options],
                   check=True)
    return made


@functools.cache
def preloaded_library(name):
    return compiled(BENCHMARKS / name, "-shared", "-fPIC", "-ldl")


@functools.cache
def measuring_program():
    """Runs another program and tells what it took."""
    return compiled(BENCHMARKS / "measured" / "run.c", "-static")


class Trixie:
    """A minimal Debian trixie in a folder, for its thin-provisioning-tools 1.1.0 (in Rust).

    Its programs run on any machine, by the folder's own dynamic loader.
    """

    def __init__(self, folder):
        self.folder = folder

    def is_made(self):
        return (self.folder / "usr/sbin/thin_check").exists()

    def make(self):
        if self.is_made():
            return
        debootstrap = need_tool("debootstrap", "debootstrap")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        print(f"debootstrap: Debian trixie into {self.folder}", flush=True)
        with open(self.folder.with_suffix(".log"), "w") as log:
            subprocess.run([debootstrap, "--variant=minbase",
                            "--include=thin-provisioning-tools", "trixie", self.folder, MIRROR],
                           check=True, stdout=log, stderr=log)

    def command(self, name):
        loaders = sorted(self.folder.glob("usr/lib*/ld-linux-*.so.*")) + sorted(
            self.folder.glob("usr/lib/*/ld-linux-*.so.*"))
        libraries = sorted(self.folder.glob("usr/lib/*-linux-gnu*"))
        if not loaders or not libraries:
            raise BenchmarkError(f"{self.folder}: no dynamic loader found")
        return [loaders[0], "--library-path", ":".join(map(str, libraries)),
                self.folder / "usr/sbin" / name]


def first_line(command):
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    except FileNotFoundError:
        return "not installed"
    return (done.stdout + done.stderr).strip().split("\n")[0]


def machine_facts():
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) >> 20
    return {"kernel": os.uname().release, "processor": model, "processors": os.cpu_count(),
            "memory_gib": memory}


def versions(trixie):
    return {
        "thin-merge": first_line([installed(), "--version"]),
        "qemu-img": first_line(["qemu-img", "--version"]),
        "ddrescue": first_line(["ddrescue", "--version"]),
        "bmaptool": first_line(["bmaptool", "--version"]),
        "fio": first_line(["fio", "--version"]),
        "dd": first_line(["dd", "--version"]),
        "thin-provisioning-tools, Debian trixie": first_line(
            [*trixie.command("thin_check"), "--version"]) if trixie.is_made() else "not used",
        "thin-provisioning-tools, this machine": first_line(["thin_check", "--version"]),
    }
