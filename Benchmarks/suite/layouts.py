"""How the blocks of a merge lie: which thin block is in which data block."""

import random

from .measure import GIB, KIB, MIB

MERGED_BYTES = 2 * GIB


class Layout:
    """`runs` are (first thin block, first data block, block count), in the order of the origin."""

    def __init__(self, name, title, block_bytes, runs):
        self.name = name
        self.title = title
        self.block_bytes = block_bytes
        self.runs = runs
        self.data_blocks = sum(count for _, _, count in runs)
        self.merged_bytes = self.data_blocks * block_bytes
        last = runs[-1]
        self.origin_blocks = last[0] + last[2]

    def blocks(self):
        """(thin block, data block) of every mapping, rising in thin blocks."""
        for thin, data, count in self.runs:
            for step in range(count):
                yield thin + step, data + step

    def transfers(self, io_bytes=MIB):
        """The writes to the origin, one at a time: (origin byte, bytes, [(data byte, bytes)])."""
        pending = None
        for thin, data, count in self.runs:
            start, source = thin * self.block_bytes, data * self.block_bytes
            left = count * self.block_bytes
            while left:
                if pending is None or pending[0] + pending[1] != start or start % io_bytes == 0:
                    if pending:
                        yield pending
                    pending = (start, 0, [])
                step = min(left, io_bytes - start % io_bytes)
                pending[2].append((source, step))
                pending = (pending[0], pending[1] + step, pending[2])
                start, source, left = start + step, source + step, left - step
        if pending:
            yield pending


def joined(blocks):
    """Runs of (thin block, data block) pairs."""
    runs = []
    for thin, data in blocks:
        if runs and thin == runs[-1][0] + runs[-1][2] and data == runs[-1][1] + runs[-1][2]:
            runs[-1][2] += 1
        else:
            runs.append([thin, data, 1])
    return [tuple(run) for run in runs]


def of_lengths(lengths, gaps, order):
    """Runs of these lengths with these gaps before them, put onto the data device in `order`."""
    places, place = [0] * len(lengths), 0
    for index in order:
        places[index] = place
        place += lengths[index]
    runs, thin = [], 0
    for length, gap, data in zip(lengths, gaps, places):
        thin += gap
        runs.append((thin, data, length))
        thin += length
    return runs


def drawn_lengths(draw, block_count):
    lengths = []
    while block_count:
        lengths.append(min(draw(), block_count))
        block_count -= lengths[-1]
    return lengths


def scattered(seed, block_bytes=64 * KIB):
    count = MERGED_BYTES // block_bytes
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return joined((2 * thin, data) for thin, data in enumerate(order))


def shuffled(seed):
    count = MERGED_BYTES // (64 * KIB)
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return joined(enumerate(order))


def long_runs(seed):
    generator = random.Random(seed)
    # 1 to 64 MiB, each size class as often as the next.
    lengths = drawn_lengths(lambda: int(16 * 64 ** generator.random()), MERGED_BYTES // (64 * KIB))
    gaps = [generator.randint(1, 256) for _ in lengths]
    order = list(range(len(lengths)))
    generator.shuffle(order)
    return of_lengths(lengths, gaps, order)


def as_a_vm(seed):
    """Many short runs and few long ones (Pareto), allocated mostly in the order of the image, a
    tenth of them at another time."""
    generator = random.Random(seed)
    lengths = drawn_lengths(lambda: min(1024, int(generator.paretovariate(1.0))),
                            MERGED_BYTES // (64 * KIB))
    gaps = [min(256, int(generator.paretovariate(1.0))) - 1 for _ in lengths]
    gaps = [gap if generator.random() < 0.7 else 0 for gap in gaps]
    order = list(range(len(lengths)))
    moved = [index for index in order if generator.random() < 0.1]
    targets = moved[:]
    generator.shuffle(targets)
    for index, target in zip(moved, targets):
        order[index] = target
    return of_lengths(lengths, gaps, order)


def all_layouts(seed):
    return [
        Layout("scattered", "scattered 64 KiB blocks", 64 * KIB, scattered(seed)),
        Layout("shuffled", "contiguous on the origin, shuffled on the data device", 64 * KIB,
               shuffled(seed)),
        Layout("runs", "contiguous runs of 1 to 64 MiB", 64 * KIB, long_runs(seed)),
        Layout("vm", "a mix as of a VM image", 64 * KIB, as_a_vm(seed)),
        Layout("large-blocks", "scattered 1 MiB blocks", MIB, scattered(seed, MIB)),
    ]
