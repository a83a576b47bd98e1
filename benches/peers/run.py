#!/usr/bin/env python3
"""Compares tinderbox with PyTorch and Keras: the same work, one process at a time, in turn.

Each figure of tinderbox is set against the fastest setting of any peer, as a ratio of medians over
the rounds. With --quick, rounds after the first leave out the peers' settings that were more than
1.3 times slower than the fastest peer in the first, which cannot change the result, and `kernels
off`, which is there for information.

`scripts/bench/peers` starts this with the Python that has the peers. Standard library only.
"""

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import contenders
import report
from common import positive
from rows import BUSY_LIMIT, DISTURBED, MEMORY, ROWS, SECONDS, SPEED, Job, works

# On top of the time to measure: longer than any sound start and shutdown.
PROCESS_LIMIT_S = 240
JOB_LIMIT_S = 1800
# A setting slower than this share of the fastest peer is not measured again with --quick.
NEAR = 1 / 1.3
# A job's setting is stopped when it takes so many times longer than the fastest peer.
HOPELESS = 1.5
# A measurement that other programs disturb is done so many times in all.
ATTEMPTS = 2
BUSY_SAMPLE_S = 0.3
PR_SET_CHILD_SUBREAPER = 36
CALM_WAIT_S = 20
# How long a lock is kept at least, over several measurements.
TURN_S = 60


def main():
    args = parse_args()
    adopt_orphans()
    record = {"machine": processor(), "threads": args.threads, "rounds": args.rounds, "quick": args.quick, "works": []}
    chosen = [row for row in ROWS if row.name in args.rows]
    runs = {}
    for work in works(chosen):
        runs[work] = measure(work, args)
        record["works"].append({"work": work.title(), "runs": runs[work]})
        print(report.work_table(work, runs[work]), flush=True)
        if args.json:  # after every work, so that Ctrl-C loses at most one
            args.json.write_text(json.dumps(record, indent=1) + "\n")
    heading = f"{processor()}, {args.threads} threads, f32, AdamW, median of {args.rounds} round{'s' * (args.rounds > 1)}"
    print(report.goals(chosen, runs, heading, args.quick))


def parse_args():
    names = [row.name for row in ROWS]
    flags = argparse.ArgumentParser(prog="scripts/bench/peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--rows", type=some_of(names), default=names, metavar="LIST", help="of " + ", ".join(names))
    sides = contenders.SIDES
    flags.add_argument("--sides", type=some_of(sides), metavar="LIST", help="of " + ", ".join(sides) + "; all but ndarray by default")
    flags.add_argument("--tinderbox", type=Path, default=contenders.binary(), metavar="PATH", help="the release binary")
    flags.add_argument("--fashion-mnist", dest="data", type=Path, default=contenders.data_folder(), metavar="DIR", help="Fashion-MNIST's IDX files")
    flags.add_argument("--rounds", type=positive, default=3, metavar="R")
    flags.add_argument("--seconds", type=float, default=5.0, metavar="S", help="measured time of each, at least 3 steps")
    flags.add_argument("--warmup-limit", type=float, default=60.0, metavar="S", help="skip a peer's setting that is not warm by then")
    flags.add_argument("--threads", type=positive, default=usable_cores(), metavar="T")
    flags.add_argument("--quick", action="store_true", help="later rounds only of what can be the fastest")
    flags.add_argument("--lock", type=Path, metavar="FILE", help="hold a lock on this file while measuring, as flock does")
    flags.add_argument("--json", type=Path, metavar="FILE", help="save every measurement")
    args = flags.parse_args()
    args.sides = args.sides or [side for side in sides if side != "ndarray"]
    args.tinderbox = args.tinderbox.resolve()
    if {"tinderbox", "off", "ndarray"} & set(args.sides) and not args.tinderbox.is_file():
        flags.error(f"no binary at `{args.tinderbox}`; hint: `cargo build --release`, or give `--tinderbox PATH`")
    return args


def some_of(known):
    """A comma-separated list of known names, for argparse."""

    def parse(text):
        unknown = [name for name in text.split(",") if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return text.split(",")

    return parse


def usable_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def processor():
    """The processor's name, for the record."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def measure(work, args):
    """Name -> one result a round. Each round starts with another contender, so none is always first."""
    entrants = contenders.of(work, args)
    runs = {entrant.name: [] for entrant in entrants}
    alone = Turn(args.lock)
    for turn in range(args.rounds):
        # The first round is in order: a compiled setting comes after the setting that it compiles.
        shift = turn % len(entrants) if entrants else 0
        for entrant in entrants[shift:] + entrants[:shift]:
            if left_out(entrant, entrants, runs, turn, args):
                continue
            print(f"{work.title()}: round {turn + 1} of {args.rounds}: {entrant.name}", file=sys.stderr, flush=True)
            with alone:
                result = undisturbed(entrant, limit(work, entrants, runs, args), isinstance(work, Job))
            for key in ("error", "skipped"):
                if key in result:
                    print(f"  {key}: {result[key]}", file=sys.stderr, flush=True)
            runs[entrant.name].append(result)
    return runs


def left_out(entrant, entrants, runs, turn, args):
    """Whether a contender does not run in this round."""
    if any("skipped" in result for result in runs[entrant.name]):
        return True
    if not args.quick or entrant.name == contenders.OURS:
        return False
    fastest = max((speed(runs[other.name]) for other in entrants if other.peer), default=0)
    if turn > 0:
        return not entrant.peer or speed(runs[entrant.name]) < NEAR * fastest
    # Compiling costs most of the time, and the layouts end up nearly alike: only the faster one.
    rivals = [other.compiled_from for other in entrants if other.name.split()[0] == entrant.name.split()[0]]
    others = max((speed(runs[name]) for name in rivals if name), default=0)
    return bool(entrant.compiled_from) and speed(runs[entrant.compiled_from]) < others


def speed(results):
    """The best of a contender's rounds so far, 0 where there is none."""
    return max((result[SPEED] for result in results if SPEED in result), default=0)


def limit(work, entrants, runs, args):
    """Seconds after which a process is stopped."""
    if not isinstance(work, Job):
        return PROCESS_LIMIT_S + args.warmup_limit + 2 * args.seconds
    fastest = max((speed(runs[entrant.name]) for entrant in entrants if entrant.peer), default=0)
    return min(JOB_LIMIT_S, HOPELESS / fastest) if fastest else JOB_LIMIT_S


class Turn:
    """An exclusive lock on a file, if one is named, given up between measurements now and then."""

    def __init__(self, path):
        self.file = path.open("a") if path else None
        self.since = None

    def __enter__(self):
        if self.file and self.since is None:
            fcntl.flock(self.file, fcntl.LOCK_EX)
            self.since = time.monotonic()

    def __exit__(self, *_):
        if self.file and time.monotonic() - self.since > TURN_S:
            fcntl.flock(self.file, fcntl.LOCK_UN)
            self.since = None
            time.sleep(BUSY_SAMPLE_S)  # who waits gets it


def undisturbed(entrant, limit_s, whole):
    """A measurement, done again where other programs took part of the cores' time."""
    for _ in range(ATTEMPTS):
        wait_until_calm()
        before, own_before = cpu_seconds(), own_seconds()
        result = run(entrant, limit_s, whole)
        after, own_after = cpu_seconds(), own_seconds()
        if before is None or after is None:
            return {**result, DISTURBED: None}
        busy = after[0] - before[0] - (own_after - own_before)
        result[DISTURBED] = round(max(0.0, busy / max(after[1] - before[1], 1e-9)), 3)
        if result[DISTURBED] <= BUSY_LIMIT or "skipped" in result:
            break
        print(f"  other programs took {result[DISTURBED]:.0%} of the cores' time", file=sys.stderr, flush=True)
    return result


def wait_until_calm():
    """Waits for other programs to leave the cores alone, but not for long."""
    until = time.monotonic() + CALM_WAIT_S
    while time.monotonic() < until:
        before = cpu_seconds()
        time.sleep(BUSY_SAMPLE_S)
        after = cpu_seconds()
        if before is None or after is None or after[0] - before[0] <= BUSY_LIMIT * (after[1] - before[1]):
            return
        time.sleep(1)


def cpu_seconds():
    """Busy and all seconds of all cores since the start of the machine; None where unknown."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return None
    idle = fields[3] + fields[4]  # and waiting for the disk
    per_second = os.sysconf("SC_CLK_TCK")
    return (sum(fields) - idle) / per_second, sum(fields) / per_second


def adopt_orphans():
    """Makes what a contender leaves behind a child of this process, so that its time is known."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def own_seconds():
    """Processor time of the processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(entrant, limit_s, whole):
    """One measurement in its own process: its figures, or `error` or `skipped` with the reason."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as said:
        environment = {**os.environ, **entrant.environment, "TINDERBOX_MODELS": f"{folder}/models", "TINDERBOX_IMAGES": f"{folder}/images"}
        start = time.perf_counter()
        # A session of its own: what it starts (compilers) ends with it.
        process = subprocess.Popen(entrant.command, stdout=subprocess.PIPE, stderr=said, text=True, env=environment, start_new_session=True)
        stopped = False
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            stopped = True
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        seconds = time.perf_counter() - start
        if stopped:
            process.communicate()
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-process.pid, 0)
        if stopped:
            result = {"skipped": f"stopped after {limit_s:.0f} s"}
        else:
            said.seek(0)
            result = parse(process.returncode, output, said.read(), seconds if whole else None)
    return result


def parse(code, output, said, seconds):
    """What a finished process measured; of a whole job, what was measured of it."""
    if code != 0:
        return {"error": f"exit code {code}: {(said.strip().splitlines() or ['nothing on stderr'])[-1]}", "stderr": said[-4000:]}
    try:
        result = json.loads(output.strip().splitlines()[-1])
        if "error" in result or "skipped" in result:
            return result
        if seconds is not None:
            top1 = result.get("test_top1") or result["test"]["top1"]
            return {SECONDS: seconds, SPEED: 1 / seconds, "test_top1": top1, "version": result.get("version")}
        key = "train" if result.get("train_steps") else "infer"
        figures = {SPEED: result[f"{key}_images_per_second"], MEMORY: result["peak_rss_mb"], "steps": result[f"{key}_steps"]}
        return {**{name: float(figure) for name, figure in figures.items()}, "version": result.get("version")}
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return {"error": f"unexpected output ({type(error).__name__}): {output[:200]!r}"}


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
