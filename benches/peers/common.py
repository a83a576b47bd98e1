"""What the peers' benchmarks share: flags, timing, memory, expected sizes.

`torch_bench.py` and `keras_bench.py` do the work of `tinderbox bench`: train steps with AdamW on
one fixed synthetic batch, inference on the same batch, or one of the two. Standard library only, so
that nothing here counts in a peer's memory.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import threading
import time

MODELS = ["mlp", "lenet", "cnn", "resnet18", "mobilenet_v2"]
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.01
EPSILON = 1e-8
SEED = 0
TRAINING, INFERENCE = "training", "inference"
# As in `tinderbox bench`: steps before the timed ones, their least share of the measured time, and
# the fewest steps that are timed.
WARM_UP_STEPS = 2
WARM_UP_SHARE = 0.1
FEWEST_STEPS = 3
# Below this size a torchvision net gets the small stem: its usual stem would leave too few pixels.
SMALL_STEM_BELOW = 96


def parser(description):
    """The flags both benchmarks have, named as in `tinderbox bench`."""
    flags = argparse.ArgumentParser(description=description)
    flags.add_argument("--model", choices=MODELS, required=True)
    flags.add_argument("--size", type=positive, default=32, help="height and width in pixels")
    flags.add_argument("--channels", type=positive, default=3)
    flags.add_argument("--classes", type=positive, default=10)
    flags.add_argument("--batch", type=positive, default=128)
    flags.add_argument("--only", choices=[TRAINING, INFERENCE], help="measure one of the two")
    flags.add_argument("--seconds", type=float, default=5.0, help="measured time, at least 3 steps")
    flags.add_argument("--warmup-limit", type=float, metavar="S", help="give up where compiling and warming up take longer")
    flags.add_argument("--threads", type=positive, default=1)
    flags.add_argument("--json", action="store_true", help="print one JSON object")
    flags.add_argument("--params", action="store_true", help="count the parameters and stop")
    return flags


def positive(text):
    """An integer of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def images_per_second(step, args):
    """Images per second from the median time of a step, and the steps this is the median of."""
    with give_up_after(args.warmup_limit):
        start, warm = time.perf_counter(), 0
        while warm < WARM_UP_STEPS or time.perf_counter() - start < WARM_UP_SHARE * args.seconds:
            step()
            warm += 1
    seconds, total = [], 0.0
    while len(seconds) < FEWEST_STEPS or total < args.seconds:
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
        total += seconds[-1]
    return args.batch / statistics.median(seconds), len(seconds)


class give_up_after:
    """Ends the process with a result that says so, unless the block is done within `limit` seconds.

    An exception would not do: a compiler that runs in C++ does not look for one.
    """

    def __init__(self, limit):
        self.timer = threading.Timer(limit, self.end, [limit]) if limit else None

    def __enter__(self):
        if self.timer:
            self.timer.daemon = True
            self.timer.start()

    def __exit__(self, *_):
        if self.timer:
            self.timer.cancel()

    @staticmethod
    def end(limit):
        print(json.dumps({"skipped": f"not warm after {limit:g} s"}), flush=True)
        os._exit(0)


def peak_rss_mb():
    """The most memory this process has held so far, in MB of 10^6 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def measure(steps, args, version, setting):
    """Times training, reads the peak memory, then times inference, or one of the two.

    `steps` makes the step of training and that of inference.
    """
    result = {}
    for kind, key in ((TRAINING, "train"), (INFERENCE, "infer")):
        if args.only in (None, kind):
            speed, timed = images_per_second(steps[kind](), args)
            result[f"{key}_images_per_second"] = round(speed, 2)
            result[f"{key}_steps"] = timed
            result.setdefault("peak_rss_mb", round(peak_rss_mb(), 1))
    return {**result, "threads": args.threads, "version": version, "setting": setting}


def show(result, as_json):
    """Prints a result: as one JSON object, or as lines for people."""
    if as_json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:24} {value:,}" if isinstance(value, (int, float)) else f"{key:24} {value}")


def check_parameters(counted, args):
    """Prints the count of trainable parameters; fails unless it is the expected one."""
    expected = expected_parameters(args.model, args.size, args.channels, args.classes)
    assert counted == expected, f"{args.model}: {counted:,} parameters, expected {expected:,}"
    print(f"{args.model} {args.size}x{args.size}x{args.channels} K={args.classes}: {counted:,} parameters, as expected")


def expected_parameters(model, size, channels, classes):
    """Trainable parameters; for torchvision's nets from the counts torchvision publishes."""
    if model == "mlp":
        return dense(size * size * channels, 512) + dense(512, 256) + dense(256, classes)
    if model == "lenet":
        side = ((size - 4) // 2 - 4) // 2
        convs = conv(5, channels, 6) + conv(5, 6, 16)
        return convs + dense(16 * side * side, 120) + dense(120, 84) + dense(84, classes)
    if model == "cnn":
        side = ((size - 2) // 2 - 2) // 2
        return conv(3, channels, 32) + conv(3, 32, 64) + dense(64 * side * side, classes)
    # Published for 3 channels and 1,000 classes. Only the first convolution (which has no bias) and
    # the head depend on the channels, the stem and the classes.
    if model == "resnet18":
        kernel = 3 if size < SMALL_STEM_BELOW else 7
        body = 11_689_512 - 7 * 7 * 3 * 64 - dense(512, 1000)
        return body + kernel * kernel * channels * 64 + dense(512, classes)
    body = 3_504_872 - 3 * 3 * 3 * 32 - dense(1280, 1000)
    return body + 3 * 3 * channels * 32 + dense(1280, classes)


def dense(inputs, outputs):
    """Weights and biases of a dense layer."""
    return inputs * outputs + outputs


def conv(kernel, inputs, outputs):
    """Weights and biases of a square convolution."""
    return kernel * kernel * inputs * outputs + outputs
