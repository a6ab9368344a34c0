"""Queue depth and I/O size of a merge, on the layouts where they matter most."""

from . import copying, grounds, images, results
from .layouts import all_layouts
from .measure import ratios, run_in_turn
from .tools import installed

SHAPES = [(16, "1M"), (32, "1M"), (64, "1M"), (128, "1M"), (256, "1M"),
          (64, "64k"), (64, "256k"), (64, "512k"), (64, "2M"), (64, "4M")]
DEFAULT = "64 x 1M"


def compare(work, ground_name, rounds, seed):
    facts = {}
    for layout in all_layouts(seed):
        if layout.name not in ("scattered", "shuffled", "runs"):
            continue
        with grounds.GROUNDS[ground_name](
                work, lambda folder: images.write_images(
                    folder, layout, seed, for_peers=False)) as ground:
            print(f"  depth and size: {layout.title}, on {ground.title}", flush=True)
            copying.prepare(ground, layout)
            runs = run_in_turn(
                {f"{depth} x {size}": copying.thin_merge(
                    installed(), ground, layout, "--io-size", size, depth=depth)
                 for depth, size in SHAPES}, rounds)
        facts[layout.name] = {shape: ratios(runs[DEFAULT], of, "seconds") for shape, of in runs.items()
                              if shape != DEFAULT}
    results.save(work, f"tuning-{ground_name}", facts)
