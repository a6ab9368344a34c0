"""Metadata with many mappings: one thin device of 64 KiB blocks, made by thin_restore.

shuffled    every second thin block is mapped, to a data block of a pseudo-random permutation: each run is
            one block long
contiguous  the same number of mappings in one run
aged        the shuffled one with its nodes moved to random places of the metadata, as in a pool that was
            used for long
"""

import json
import os
import random
import shutil
import subprocess

from .measure import GIB, MIB
from .tools import built, evict, need_disk

BLOCK_BYTES = 64 << 10
MILLIONS = {"1": 1 << 20, "16.7": 1 << 24, "100": 100_000_000}


class MetadataInput:
    """`folder` holds meta.img, and data.img and origin.img, which are holes: plan looks at their sizes
    only."""

    def __init__(self, work, order, count):
        self.order = order
        self.count = count
        self.folder = work / "inputs" / f"plan-{order}-{count}"
        self.spread = 1 if order == "contiguous" else 2

    def path(self, name):
        return self.folder / f"{name}.img"

    def arguments(self):
        return ["--metadata", self.path("meta"), "--data", self.path("data"), "--dev-id", "1",
                "--inactive", "--origin", self.path("origin")]

    def make(self, trixie, seed):
        facts = {"order": self.order, "count": self.count, "seed": seed}
        note = self.folder / "input.json"
        if note.exists() and json.loads(note.read_text()) == facts:
            return self
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        print(f"    making {self.count} {self.order} mappings", flush=True)
        if self.order == "aged":
            self.age(MetadataInput(self.folder.parent.parent, "shuffled", self.count)
                     .make(trixie, seed), seed)
        else:
            self.restore(trixie, seed)
        for name, blocks in (("data", self.count), ("origin", self.spread * self.count)):
            with open(self.path(name), "wb") as image:
                image.truncate(blocks * BLOCK_BYTES)
        note.write_text(json.dumps(facts))
        return self

    def restore(self, trixie, seed):
        # thin_restore of trixie packs its nodes full; that of older releases makes twice the metadata.
        # It takes regular files only.
        need_disk(self.folder, self.count * 90 + GIB)
        description = self.path("meta").with_suffix(".xml")
        try:
            with open(description, "wb") as xml:
                subprocess.run([built("bench-inputs"), "mappings",
                                "--count", str(self.count), "--order", self.order, "--spread",
                                str(self.spread), "--seed", str(seed)], stdout=xml, check=True)
            with open(self.path("meta"), "wb") as image:
                image.truncate(max(64 * MIB, self.count * 20))
            subprocess.run([*trixie.command("thin_restore"), "-q", "-i", description, "-o",
                            self.path("meta")], check=True)
        finally:
            description.unlink(missing_ok=True)
        evict(self.path("meta"))

    def age(self, source, seed):
        roomy = self.path("roomy")
        shutil.copyfile(source.path("meta"), roomy)
        os.truncate(roomy, 2 * roomy.stat().st_size)
        subprocess.run([built("bench-inputs"), "age", roomy,
                        self.path("meta"), "--seed", str(seed)], check=True)
        roomy.unlink()
        fill_holes(self.path("meta"), seed)
        evict(self.path("meta"))

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def fill_holes(path, seed):
    """Writes out what lies between the nodes: reading a hole costs no device anything."""
    noise = random.Random(seed).randbytes(4 * MIB)
    with open(path, "r+b", buffering=0) as image:
        descriptor, end = image.fileno(), os.fstat(image.fileno()).st_size
        hole = os.lseek(descriptor, 0, os.SEEK_HOLE)
        while hole < end:
            try:
                data = os.lseek(descriptor, hole, os.SEEK_DATA)
            except OSError:
                data = end
            while hole < data:
                hole += os.pwrite(descriptor, noise[:data - hole], hole)
            hole = os.lseek(descriptor, data, os.SEEK_HOLE) if data < end else end
