"""The images of one layout, and what each program needs to know of them.

data        the pool's data image: every block has content of its own, all of it written out
origin      what is merged onto
logical     what the thin device shows where it owns blocks, and holes elsewhere: for the programs that
            copy from the same place on another device
overlay     the same blocks as a qcow2 overlay on the origin
"""

import os
import random
import struct
import subprocess

from .measure import MIB
from .tools import BenchmarkError, evict

SECTOR_BYTES = 512
QCOW2_CLUSTER_BYTES = 64 << 10
QCOW2_COPIED = 1 << 63


class Content:
    """The content of the blocks: a piece of noise with a stamp at its head and tail."""

    def __init__(self, seed):
        self.noise = random.Random(seed + 1000).randbytes(4 * MIB)

    def block(self, owner, number, byte_count):
        start = (number * 4099) % (len(self.noise) - byte_count)
        stamp = owner + number.to_bytes(8, "little")
        return stamp + self.noise[start + 16:start + byte_count - 16] + stamp


def write_images(folder, layout, seed):
    """NAME.img for each of the above; the overlay's backing file is folder/origin."""
    content, size = Content(seed), layout.block_bytes
    with open(folder / "data.img", "wb", buffering=0) as data:
        for block in range(layout.data_blocks):
            data.write(content.block(b"data....", block, size))
    with open(folder / "origin.img", "wb", buffering=0) as origin:
        for block in range(layout.origin_blocks):
            origin.write(content.block(b"origin..", block, size))
    for name in ("data.img", "origin.img"):
        evict(folder / name)
    (folder / "origin").symlink_to("origin.img")
    with open(folder / "logical.img", "wb", buffering=0) as logical:
        logical.truncate(layout.origin_blocks * size)
        for thin, block in layout.blocks():
            os.pwrite(logical.fileno(), content.block(b"data....", block, size), thin * size)
    evict(folder / "logical.img")
    write_overlay(folder / "overlay.img", layout, seed, folder / "origin")


class Sample:
    """A look at some blocks of the origin: spoilt before a program runs, right after it."""

    def __init__(self, layout, seed):
        self.layout = layout
        self.content = Content(seed)
        mapped = list(layout.blocks())
        self.mapped = mapped[::61] + [mapped[-1]]
        owned = {thin for thin, _ in mapped}
        self.unmapped = [block for block in range(0, layout.origin_blocks, 61) if block not in owned]

    def spoil(self, origin):
        size = self.layout.block_bytes
        with open(origin, "r+b", buffering=0) as image:
            for thin, _ in self.mapped:
                os.pwrite(image.fileno(), bytes(size), thin * size)
        evict(origin)

    def check(self, origin, who):
        size = self.layout.block_bytes
        with open(origin, "rb", buffering=0) as image:
            for thin, block in self.mapped:
                if os.pread(image.fileno(), size, thin * size) != self.content.block(
                        b"data....", block, size):
                    raise BenchmarkError(f"{who}: block {thin} of the origin was not merged")
            for thin in self.unmapped:
                if os.pread(image.fileno(), size, thin * size) != self.content.block(
                        b"origin..", thin, size):
                    raise BenchmarkError(f"{who}: block {thin} of the origin should be untouched")
        evict(origin)


def thin_xml(layout):
    """The layout in the XML of thin-provisioning-tools."""
    yield (f'<superblock uuid="" time="0" transaction="1" flags="0" version="2" '
           f'data_block_size="{layout.block_bytes // SECTOR_BYTES}" '
           f'nr_data_blocks="{layout.data_blocks}">\n'
           f'<device dev_id="1" mapped_blocks="{layout.data_blocks}" transaction="0" '
           f'creation_time="0" snap_time="0">\n')
    for thin, data, count in layout.runs:
        yield (f'<range_mapping origin_begin="{thin}" data_begin="{data}" length="{count}" '
               f'time="0"/>\n')
    yield "</device>\n</superblock>\n"


def write_metadata(path, layout, thin_restore):
    with open(path, "wb") as image:
        image.truncate(8 * MIB)
    description = path.with_suffix(".xml")
    description.write_text("".join(thin_xml(layout)))
    subprocess.run([thin_restore, "-q", "-i", description, "-o", path], check=True)
    description.unlink()
    evict(path)


def write_overlay(path, layout, seed, origin):
    """A qcow2 overlay on the raw origin whose clusters lie in the order of the data image.

    qemu-img makes the empty file and, at the end, the reference counts; the tables are filled in here
    (docs/interop/qcow2.txt of QEMU: big endian, an entry of either table is an offset with bit 63 for a
    cluster that is used once).
    """
    subprocess.run(["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-o",
                    f"cluster_size={QCOW2_CLUSTER_BYTES}", "-b", origin, "-F", "raw", path,
                    str(layout.origin_blocks * layout.block_bytes)], check=True)
    entries_per_table = QCOW2_CLUSTER_BYTES // 8
    table_count = -(-layout.origin_blocks * layout.block_bytes
                    // (entries_per_table * QCOW2_CLUSTER_BYTES))
    tables = [[0] * entries_per_table for _ in range(table_count)]
    content = Content(seed)
    with open(path, "r+b") as overlay:
        first_table = -(-overlay.seek(0, os.SEEK_END) // QCOW2_CLUSTER_BYTES) * QCOW2_CLUSTER_BYTES
        first_data = first_table + table_count * QCOW2_CLUSTER_BYTES
        for thin, block in layout.blocks():
            for offset in range(0, layout.block_bytes, QCOW2_CLUSTER_BYTES):
                cluster = (thin * layout.block_bytes + offset) // QCOW2_CLUSTER_BYTES
                tables[cluster // entries_per_table][cluster % entries_per_table] = (
                    first_data + block * layout.block_bytes + offset | QCOW2_COPIED)
        overlay.seek(40)
        first_level = struct.unpack(">Q", overlay.read(8))[0]
        overlay.seek(first_level)
        for index in range(table_count):
            overlay.write(struct.pack(
                ">Q", first_table + index * QCOW2_CLUSTER_BYTES | QCOW2_COPIED))
        overlay.seek(first_table)
        for table in tables:
            overlay.write(struct.pack(f">{entries_per_table}Q", *table))
        for block in range(layout.data_blocks):
            overlay.write(content.block(b"data....", block, layout.block_bytes))
    # It tells of each cluster that has no reference yet.
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", "-r", "all", path], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    evict(path)


def write_domain_map(path, layout):
    """ddrescue's map file: what is to be copied is finished ('+'), the rest is not ('?')."""
    lines, place = ["0x0 ? 1"], 0
    size = layout.block_bytes
    for start, byte_count in extents(layout):
        if start > place:
            lines.append(f"0x{place:X} 0x{start - place:X} ?")
        lines.append(f"0x{start:X} 0x{byte_count:X} +")
        place = start + byte_count
    if place < layout.origin_blocks * size:
        lines.append(f"0x{place:X} 0x{layout.origin_blocks * size - place:X} ?")
    path.write_text("\n".join(lines) + "\n")


def extents(layout):
    """(origin byte, byte count) of what is mapped, neighbours joined."""
    pending = None
    for thin, _, count in layout.runs:
        start, byte_count = thin * layout.block_bytes, count * layout.block_bytes
        if pending and pending[0] + pending[1] == start:
            pending = (pending[0], pending[1] + byte_count)
            continue
        if pending:
            yield pending
        pending = (start, byte_count)
    yield pending


def write_block_map(path, layout):
    """bmaptool's map, of version 1.2: without checksums, which it would spend time on."""
    size = layout.block_bytes
    ranges = "".join(f"<Range> {start // size}-{(start + count) // size - 1} </Range>\n"
                     for start, count in extents(layout))
    path.write_text(
        f'<?xml version="1.0" ?>\n<bmap version="1.2">\n'
        f"<ImageSize> {layout.origin_blocks * size} </ImageSize>\n<BlockSize> {size} </BlockSize>\n"
        f"<BlocksCount> {layout.origin_blocks} </BlocksCount>\n"
        f"<MappedBlocksCount> {layout.data_blocks} </MappedBlocksCount>\n"
        f"<BlockMap>\n{ranges}</BlockMap>\n</bmap>\n")


def write_dd_loop(path, layout, data, origin):
    """A dd for each run, as an administrator makes them from the output of thin_dump."""
    size = layout.block_bytes
    with open(path, "w") as script:
        script.write("set -e\n")
        for thin, block, count in layout.runs:
            script.write(
                f"dd if={data} of={origin} bs=1M skip={block * size} seek={thin * size} "
                f"count={count * size} iflag=direct,skip_bytes,count_bytes oflag=direct,seek_bytes "
                f"conv=notrunc status=none\n")


def write_iologs(reads_path, writes_path, layout, data, origin):
    """The very requests of a merge, as fio's iologs of version 2."""
    with open(reads_path, "w") as reads, open(writes_path, "w") as writes:
        for log, target in ((reads, data), (writes, origin)):
            log.write(f"fio version 2 iolog\n{target} add\n{target} open\n")
        for start, byte_count, segments in layout.transfers():
            for source, piece in segments:
                reads.write(f"{data} read {source} {piece}\n")
            writes.write(f"{origin} write {start} {byte_count}\n")
        writes.write(f"{origin} datasync 0 0\n")
        for log, target in ((reads, data), (writes, origin)):
            log.write(f"{target} close\n")
