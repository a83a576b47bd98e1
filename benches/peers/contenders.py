"""Who takes part in a work, and the command line of each. Standard library only."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from rows import Job

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
SIDES = ["tinderbox", "off", "ndarray", "torch", "keras"]
OURS, OFF = "tinderbox", "kernels off"
# Where the folder of data sets and Debian's package `dataset-fashion-mnist` have the IDX files.
DATA = [Path(os.environ.get("TINDERBOX_DATASETS", REPOSITORY / "datasets")) / "fashion-mnist", Path("/usr/share/datasets/fashion-mnist")]


@dataclass(frozen=True)
class Contender:
    """A program in one setting. `compiled_from` names the setting that it compiles."""

    name: str
    command: list
    environment: dict = field(default_factory=dict)
    peer: bool = True
    compiled_from: str = ""


def of(work, args):
    """Those of the chosen sides that can do the work; compiled settings after what they compile."""
    if isinstance(work, Job):
        return of_job(work, args)
    flags = [*work.flags(), "--seconds", f"{args.seconds:g}", "--threads", str(args.threads), "--json"]
    bench = [str(args.tinderbox), "bench", *flags, "--device"]
    ours = {
        "tinderbox": Contender(OURS, [*bench, "cpu"], {"TINDERBOX_KERNELS": "on"}, peer=False),
        "off": Contender(OFF, [*bench, "cpu"], {"TINDERBOX_KERNELS": "off"}, peer=False),
        "ndarray": Contender("ndarray", [*bench, "ndarray"], peer=False),
    }
    found = [ours[side] for side in ours if side in args.sides]
    flags += ["--warmup-limit", f"{args.warmup_limit:g}"]
    torch, keras = script("torch_bench.py", flags), script("keras_bench.py", flags)
    # An mlp has no convolution: channels_last would only cost it a copy.
    layouts = ["contiguous"] if work.model == "mlp" else ["contiguous", "channels_last"]
    if "torch" in args.sides:
        found += [Contender(f"torch {layout}", [*torch, "--layout", layout]) for layout in layouts]
    if "keras" in args.sides:
        found.append(Contender("keras", keras))
    if "torch" in args.sides:
        for layout in layouts:
            command = [*torch, "--layout", layout, "--compile"]
            found.append(Contender(f"torch {layout}+compile", command, compiled_from=f"torch {layout}"))
    if "keras" in args.sides:
        found.append(Contender("keras jit", [*keras, "--jit"], compiled_from="keras"))
    return found


def of_job(job, args):
    """`tinderbox train` and the Keras script that does the same."""
    if not args.data:
        return []
    flags = ["--epochs", str(job.epochs), "--batch", str(job.batch), "--threads", str(args.threads)]
    train = [str(args.tinderbox), "train", str(args.data), "--model", "cnn", *flags, "--json", "--device", "cpu"]
    keras = script("keras_job.py", [str(args.data), *flags, "--json"])
    found = []
    if "tinderbox" in args.sides:
        found.append(Contender(OURS, train, {"TINDERBOX_KERNELS": "on"}, peer=False))
    if "off" in args.sides and not args.quick:  # it takes minutes, and is there for information only
        found.append(Contender(OFF, train, {"TINDERBOX_KERNELS": "off"}, peer=False))
    if "keras" in args.sides:
        found.append(Contender("keras", keras))
        found.append(Contender("keras jit", [*keras, "--jit"], compiled_from="keras"))
    return found


def script(name, flags):
    """A script of this folder, in the Python that runs this one."""
    return [sys.executable, str(HERE / name), *flags]


def data_folder():
    """The folder of Fashion-MNIST's IDX files, or None."""
    return next((path for path in DATA if any(path.glob("train-images-idx3-ubyte*"))), None)


def binary():
    """Where cargo puts the release binary; a relative target folder is meant from the repository."""
    return REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "tinderbox"
