#!/usr/bin/env python3
"""Compares `tinderbox bench` with PyTorch and Keras: the same work, one process at a time, in turn.

`scripts/bench-peers` starts this with the Python that has the peers. Standard library only.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
TRAIN, INFER, PEAK = "train_images_per_second", "infer_images_per_second", "peak_rss_mb"
# Longer than any sound measurement: a peer that hangs must not stop the others.
PROCESS_LIMIT_S = 1800
# OpenMP's threads spin while they wait: on cores that other programs use, PyTorch was seen to run
# 200 times slower. Such a ratio says nothing, so it must not go unnoticed.
BUSY_LIMIT = 0.1
BUSY_SAMPLE_S = 1.0


@dataclass(frozen=True)
class Work:
    """One model at one input size. `steps` fill 5 to 20 s on two cores, `slow_steps` on ndarray."""

    model: str
    size: int
    channels: int
    steps: int
    devices: tuple
    slow_steps: int = 3
    classes: int = 10


WORKS = [
    Work("mlp", 32, 3, steps=400, devices=("cpu", "ndarray"), slow_steps=20),
    Work("lenet", 32, 3, steps=400, devices=("cpu", "ndarray")),
    Work("cnn", 28, 1, steps=150, devices=("cpu", "ndarray")),
    Work("resnet18", 32, 3, steps=3, devices=("cpu",)),
    Work("mobilenet_v2", 32, 3, steps=5, devices=("cpu",)),
]


def main():
    args = parse_args()
    record = {
        "machine": {"processor": processor(), "threads": args.threads},
        "batch": args.batch,
        "rounds": args.rounds,
        "works": [],
    }
    for work in WORKS:
        if work.model not in args.only:
            continue
        runs = measure(work, args)
        record["works"].append({"work": asdict(work), "runs": runs})
        print(table(work, runs, args), flush=True)
        if args.json:  # after every work, so that Ctrl-C loses at most one
            args.json.write_text(json.dumps(record, indent=1) + "\n")


def parse_args():
    models = [work.model for work in WORKS]
    flags = argparse.ArgumentParser(prog="bench-peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--only", type=names(models), default=models, metavar="LIST", help="of " + ",".join(models))
    sides = ["tinderbox", "torch", "keras"]
    flags.add_argument("--sides", type=names(sides), default=sides, metavar="LIST", help="of " + ",".join(sides))
    flags.add_argument("--tinderbox", type=Path, default=default_binary(), metavar="PATH", help="the release binary")
    flags.add_argument("--rounds", type=positive, metavar="R", help="3, or 1 with --quick")
    flags.add_argument("--batch", type=positive, default=128, metavar="B")
    flags.add_argument("--steps", type=positive, metavar="N", help="timed steps, in place of each work's own")
    flags.add_argument("--threads", type=positive, default=usable_cores(), metavar="T")
    flags.add_argument("--quick", action="store_true", help="one round, a tenth of the steps: a smoke test")
    flags.add_argument("--json", type=Path, metavar="FILE", help="save every measurement")
    args = flags.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 3)
    if "tinderbox" in args.sides and not args.tinderbox.is_file():
        flags.error(f"no binary at `{args.tinderbox}`; hint: `cargo build --release`, or give `--tinderbox PATH`")
    return args


def positive(text):
    """An integer of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def names(known):
    """A comma-separated list of known names, for argparse."""

    def parse(text):
        unknown = [name for name in text.split(",") if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return text.split(",")

    return parse


def default_binary():
    """Where cargo puts the release binary; a relative target folder is meant from the repository."""
    return REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "tinderbox"


def usable_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def processor():
    """The processor's name, for the record."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def contenders(work, args):
    """Name -> command line, without the flags that all have in common."""
    python = [sys.executable]
    torch, keras = python + [str(HERE / "torch_bench.py")], python + [str(HERE / "keras_bench.py")]
    # An mlp has no convolution: channels_last would only cost it a copy.
    layouts = ["contiguous"] if work.model == "mlp" else ["contiguous", "channels_last"]
    found = {}
    if "tinderbox" in args.sides:
        for device in work.devices:
            found[f"tinderbox {device}"] = [str(args.tinderbox.resolve()), "bench", "--device", device]
    if "torch" in args.sides:
        for layout in layouts:
            found[f"torch {layout}"] = torch + ["--layout", layout]
        found[f"torch {layouts[-1]}+compile"] = torch + ["--layout", layouts[-1], "--compile"]
    if "keras" in args.sides:
        found["keras"] = keras
        found["keras jit"] = keras + ["--jit"]
    return found


def measure(work, args):
    """Name -> one result a round. Each round starts with another contender, so none is always first."""
    commands = contenders(work, args)
    order = list(commands)
    runs = {name: [] for name in order}
    for turn in range(args.rounds):
        shift = turn % len(order)
        for name in order[shift:] + order[:shift]:
            print(f"{work.model}: round {turn + 1} of {args.rounds}: {name}", file=sys.stderr, flush=True)
            busy = busy_share()
            if busy is not None and busy > BUSY_LIMIT:
                print(f"  warning: other programs use {busy:.0%} of the cores; stop them and measure again", file=sys.stderr)
            result = run(commands[name] + common_flags(name, work, args))
            runs[name].append({**result, "busy_before": busy})
    return runs


def busy_share():
    """The share of all cores' time that other programs take just now; None where unknown."""

    def ticks():
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]  # all; idle and waiting for the disk

    try:
        all_before, idle_before = ticks()
        time.sleep(BUSY_SAMPLE_S)
        all_after, idle_after = ticks()
    except OSError:
        return None
    return round(1 - (idle_after - idle_before) / max(1, all_after - all_before), 3)


def common_flags(name, work, args):
    slow = name == "tinderbox ndarray"
    steps = args.steps or (work.slow_steps if slow else work.steps)
    if args.quick and not args.steps:
        steps = max(2, steps // 10)
    values = {
        "--model": work.model,
        "--size": work.size,
        "--channels": work.channels,
        "--classes": work.classes,
        "--batch": args.batch,
        "--steps": steps,
        "--threads": args.threads,
    }
    return [str(word) for pair in values.items() for word in pair] + ["--json"]


def run(command):
    """One measurement in its own process: the JSON object it printed, or `{"error": ...}`."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        result = {"error": f"no result after {PROCESS_LIMIT_S:,} s"}
    else:
        result = parse(done)
    if "error" in result:
        print(f"  failed: {result['error']}", file=sys.stderr, flush=True)
    return result


def parse(done):
    """What a finished process measured."""
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["nothing on stderr"]
        return {"error": f"exit code {done.returncode}: {said[-1]}", "stderr": done.stderr[-4000:]}
    try:
        result = json.loads(done.stdout)
        return result if "error" in result else {**result, **{key: float(result[key]) for key in (TRAIN, INFER, PEAK)}}
    except (ValueError, KeyError, TypeError) as error:
        return {"error": f"unexpected output ({type(error).__name__}): {done.stdout[:200]!r}"}


def table(work, runs, args):
    """The medians as a Markdown table, with the ratio of each tinderbox device to the fastest peer."""
    medians = {name: median(results) for name, results in runs.items()}
    measured = {name: values for name, values in medians.items() if values}
    title = f"### {work.model}, {work.size}x{work.size}x{work.channels}, {work.classes} classes"
    rounds = "1 round" if args.rounds == 1 else f"median of {args.rounds} rounds"
    lines = [title, "", f"batch {args.batch}, {args.threads} threads, {rounds}", ""]
    rows = [("contender", "train images/s", "inference images/s", "peak memory MB")]
    for name in runs:
        values = measured.get(name)
        rows.append((name, *(f"{values[key]:,.0f}" for key in (TRAIN, INFER, PEAK))) if values else (name, "failed", "", ""))
    lines += markdown(rows)
    peers = [name for name in measured if not name.startswith("tinderbox")]
    ours = [name for name in measured if name.startswith("tinderbox")]
    if peers:
        rows = [("", "fastest peer", "its images/s", *(f"{name} / peer" for name in ours))]
        for label, key in (("train", TRAIN), ("inference", INFER)):
            best = max(peers, key=lambda name: measured[name][key])
            speed = measured[best][key]
            rows.append((label, best, f"{speed:,.0f}", *(f"{measured[name][key] / speed:.2f}" for name in ours)))
        smallest = min(peers, key=lambda name: measured[name][PEAK])
        rows.append(("peak memory", f"{smallest} (smallest)", "", *(f"{measured[name][PEAK] / measured[smallest][PEAK]:.2f}" for name in ours)))
        lines += ["", *markdown(rows)]
    busy = sum((result["busy_before"] or 0) > BUSY_LIMIT for results in runs.values() for result in results)
    if busy:
        lines += ["", f"**not valid**: other programs used the cores before {busy} of the measurements"]
    versions = {r["version"] for results in runs.values() for r in results if "version" in r and "error" not in r}
    return "\n".join(lines + ["", "versions: " + "; ".join(sorted(versions)), ""])


def median(results):
    """The median of each figure over the rounds that succeeded; None if none did."""
    good = [result for result in results if "error" not in result]
    return {key: statistics.median(r[key] for r in good) for key in (TRAIN, INFER, PEAK)} if good else None


def markdown(rows):
    """Rows of text, the first the heading, as an aligned Markdown table."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("-" * max(3, width) for width in widths) + " |")
    return lines


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
