"""Where the devices of a benchmark are: loop devices in memory, or files on the disk."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from .measure import GIB, MIB
from .tools import BenchmarkError, evict, need_disk, need_memory, need_tool

NAMES = ("data", "origin", "logical", "overlay")


class Ground:
    """`folder` holds NAME.img; `devices` maps a name to what the programs are given."""

    def __init__(self, name, title, folder, devices):
        self.name = name
        self.title = title
        self.folder = folder
        self.devices = devices

    @contextlib.contextmanager
    def origin_as_block_device(self):
        """For a program that would empty a file first."""
        with contextlib.ExitStack() as stack:
            origin = self.devices["origin"]
            yield origin if origin.is_block_device() else attach(origin, stack)

    def forget(self):
        """Drops what the page cache has of the devices: nobody is to find there what another read."""
        for device in self.devices.values():
            evict(device)


def attach(path, stack):
    """A loop device with direct I/O over a file."""
    losetup = need_tool("losetup", "mount")
    made = subprocess.run([losetup, "--direct-io=on", "--show", "-f", path], check=True,
                          capture_output=True, text=True)
    device = pathlib.Path(made.stdout.strip())
    stack.callback(subprocess.run, [losetup, "-d", device], check=True)
    if pathlib.Path(f"/sys/block/{device.name}/loop/dio").read_text().strip() != "1":
        raise BenchmarkError(f"{path}: this kernel has no direct I/O for loop devices here")
    return device


@contextlib.contextmanager
def tmpfs(byte_count):
    if os.geteuid() != 0:
        raise BenchmarkError("mount and losetup need root")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="thin-merge-bench-"))
        stack.callback(os.rmdir, folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={byte_count}", "thin-merge-bench",
                        folder], check=True)
        stack.callback(subprocess.run, ["umount", folder], check=True)
        yield folder


@contextlib.contextmanager
def memory(_work, make):
    need_memory(12 * GIB)
    with tmpfs(11 * GIB) as folder, contextlib.ExitStack() as stack:
        make(folder)
        devices = {name: attach(folder / f"{name}.img", stack) for name in NAMES}
        yield Ground("ram", "loop devices in memory", folder, devices)


@contextlib.contextmanager
def disk(work, make):
    folder = work / "inputs" / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        need_disk(folder, 10 * GIB + 64 * MIB)
        make(folder)
        devices = {name: folder / f"{name}.img" for name in NAMES}
        yield Ground("disk", "files on the disk", folder, devices)


GROUNDS = {"ram": memory, "disk": disk}
