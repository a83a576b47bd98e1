#!/usr/bin/env python3
"""Compares tinderbox's loader with torchvision's and TensorFlow's: the same files, one process at a time, in turn.

Each figure of tinderbox is set against torchvision's `ImageFolder` as it comes, which reads with PIL, at its best
number of workers (what must be reached is a ratio to that), and against the fastest setting of any peer, `tf.data` and
torchvision's own decoder included: ratios of medians over the rounds.
The data sets are drawn into a folder first, some 5 GB. `scripts/bench/peers --data` starts this.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import contenders
from common import positive

HERE = Path(__file__).resolve().parent
OURS = "tinderbox"
PIL = "torchvision pil"
LIMIT_S = 1800
# What torchvision has: workers, and who decodes.
SETTINGS = [(workers, decoder) for decoder in ("pil", "torchvision") for workers in (0, 1, 2, 3)]


@dataclass(frozen=True)
class Row:
    """A kind of data set: how it is made, what is done with it, and what must be reached."""

    name: str
    title: str
    make: object
    flags: tuple
    must: float
    aim: float
    # From the start, listing included, and from files that are not in memory.
    cold: bool = False
    # Small enough that every thread of ours and every process of theirs has several to make.
    batch: int = 64



def drawn(kind, *values):
    """How `pictures.py` makes a data set. It needs Pillow, which `--help` does not."""
    return lambda root: getattr(importlib.import_module("pictures"), kind)(root, *values)


COMMON = ("--augment", "none", "--cache", "none", "--epochs", "1")
ROWS = [
    Row(
        "photos",
        "500x375 JPEG, random crop to 224, flip, normalise",
        drawn("photos", 3000, 500, 375),
        (*COMMON, "--size", "224", "--augmentation", "crop=0.08,flip=0.5"),
        1.5,
        2.5,
    ),
    Row("large", "3,000x2,000 JPEG to 224", drawn("photos", 192, 3000, 2000), (*COMMON, "--size", "224"), 3, 6, batch=8),
    Row("icons", "50,000 PNG of 32x32, first epoch from cold files", drawn("icons", 50_000), COMMON, 3, 5, cold=True),
]
CATALOGUE = 1_000_000
CATALOGUE_MUST = {"first_batch_seconds": (10, 5), "peak_rss_mb": (500, 250)}


def main():
    args = parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch)
        lines = []
        for row in ROWS:
            if row.name in args.rows:
                lines.append(compare(row, prepared(folder / row.name, row.make), args))
        print("\n| work | tinderbox images/s | torchvision (PIL) | ratio | must | aim | fastest peer | ratio |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        print("\n".join(lines))
        if "catalogue" in args.rows:
            root = prepared(folder / "catalogue", drawn("catalogue", CATALOGUE))
            drop_caches()
            found = ours(root, COMMON, args, first=True)
            for figure, (must, aim) in CATALOGUE_MUST.items():
                print(f"catalogue of {CATALOGUE:,} files: {figure} {found[figure]:.1f} (must {must}, aim {aim})")


def parse_args():
    names = [row.name for row in ROWS] + ["catalogue"]
    flags = argparse.ArgumentParser(prog="scripts/bench/peers --data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--rows", type=lambda text: text.split(","), default=names, metavar="LIST", help="of " + ", ".join(names))
    flags.add_argument("--rounds", type=positive, default=3, metavar="R")
    flags.add_argument("--folder", type=Path, metavar="DIR", help="where the data sets are made, and kept [default: a temporary folder]")
    flags.add_argument("--tinderbox", type=Path, default=contenders.binary(), metavar="PATH", help="the release binary")
    return flags.parse_args()


def prepared(root, make):
    """The data set, made unless it is whole already."""
    done = root.with_suffix(".done")
    if not done.exists():
        print(f"making {root.name}", file=sys.stderr, flush=True)
        root.mkdir(parents=True)
        make(root)
        done.touch()
    return root


def compare(row, root, args):
    """A line of the table; the first round has all contenders once, later ones those that can be the fastest."""
    entrants = {OURS: lambda: ours(root, (*row.flags, "--batch", str(row.batch)), args)}
    for workers, decoder in SETTINGS:
        flags = ["--workers", str(workers), "--decoder", decoder]
        entrants[f"torchvision {decoder}, {workers} workers"] = lambda flags=flags: peer("torch_data.py", root, row, flags)
    entrants["tf.data"] = lambda: peer("tf_data.py", root, row, [])
    speeds = {name: [] for name in entrants}
    for turn in range(args.rounds):
        for name, run in entrants.items():
            # After the first round only what can be the fastest of its kind.
            rivals = [other for other in speeds if other != OURS and other.startswith(PIL) == name.startswith(PIL)]
            best = max((max(speeds[other]) for other in rivals if speeds[other]), default=0)
            if turn > 0 and name != OURS and max(speeds[name], default=0) < best / 1.3:
                continue
            if row.cold:
                drop_caches()
            result = run()
            if "error" in result:
                print(f"  {name}: {result['error']}", file=sys.stderr, flush=True)
                continue
            speeds[name].append(result["whole_images_per_second" if row.cold else "images_per_second"])
            print(f"{row.name}: round {turn + 1}: {name}: {speeds[name][-1]:,.0f} images/s", file=sys.stderr, flush=True)
    middle = {name: statistics.median(found) for name, found in speeds.items() if found}

    def beside(names):
        name = max((name for name in names if name in middle), key=middle.get, default=None)
        if name is None or OURS not in middle:
            return "- | -"
        return f"{middle[name]:,.0f} ({name}) | {middle[OURS] / middle[name]:.2f}"

    peers = [name for name in entrants if name != OURS]
    speed = f"{middle[OURS]:,.0f}" if OURS in middle else "-"
    pil = beside(name for name in peers if name.startswith(PIL))
    return f"| {row.title} | {speed} | {pil} | {row.must} | {row.aim} | {beside(peers)} |"


def ours(root, flags, args, first=False):
    """`tinderbox datasets speed`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(args.tinderbox.resolve()), "datasets", "speed", str(root), *flags, "--models", f"{folder}/m", "--json"]
        result = run(command, os.environ)
    if "error" in result or first:
        return result
    result["images_per_second"] = result["images_per_second"][0]
    seconds = result["ready_seconds"] + result["images"] / result["images_per_second"]
    return {**result, "whole_images_per_second": result["images"] / seconds}


def peer(script, root, row, flags):
    return run([sys.executable, str(HERE / script), str(root / "train"), "--kind", row.name, "--batch", str(row.batch), *flags], os.environ)


def run(command, environment):
    """What a process printed last, as JSON, or `error`."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT_S)
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def drop_caches():
    """Forgets files that are in memory, where that is allowed."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError:
        print("  files stay in memory: only root can drop them", file=sys.stderr)


if __name__ == "__main__":
    main()
