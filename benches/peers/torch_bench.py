#!/usr/bin/env python3
"""Images per second of PyTorch on the CPU, doing the work of `tinderbox bench`."""

import torch
from torch import nn

import common
import torch_models


def main():
    flags = common.parser(__doc__)
    flags.add_argument("--layout", choices=["contiguous", "channels_last"], default="contiguous")
    flags.add_argument("--compile", action="store_true", help="torch.compile (needs a C++ compiler)")
    args = flags.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(common.SEED)
    if args.params:
        net = torch_models.build(args.model, args.size, args.channels, args.classes)
        common.check_parameters(sum(p.numel() for p in net.parameters()), args)
        return
    try:
        result = bench(args)
    except Exception as error:
        # A machine without a compiler is no fault of the benchmark: the other settings still count.
        if not args.compile:
            raise
        result = {"error": f"torch.compile: {first_line(error)}", "version": version(), "setting": setting(args)}
    common.show(result, args.json)


def bench(args):
    """Trains and infers on one fixed batch of noise."""
    layout = torch.channels_last if args.layout == "channels_last" else torch.contiguous_format
    net = torch_models.build(args.model, args.size, args.channels, args.classes).to(memory_format=layout)
    images = torch.randn(args.batch, args.channels, args.size, args.size).contiguous(memory_format=layout)
    labels = torch.randint(args.classes, (args.batch,))
    # `fused` is the fastest of PyTorch's AdamW variants on a CPU.
    optimizer = torch.optim.AdamW(
        net.parameters(),
        lr=common.LEARNING_RATE,
        weight_decay=common.WEIGHT_DECAY,
        eps=common.EPSILON,
        fused=True,
    )
    forward = torch.compile(net) if args.compile else net

    def train_step():
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    def infer_step():
        with torch.inference_mode():
            return forward(images)

    def training():
        net.train()
        return train_step

    def inference():
        net.eval()
        return infer_step

    steps = {common.TRAINING: training, common.INFERENCE: inference}
    return common.measure(steps, args, version(), setting(args))


def version():
    """As in the other peer's: name and number."""
    return f"torch {torch.__version__}"


def setting(args):
    """`contiguous`, `channels_last`, or either with `+compile`."""
    return args.layout + ("+compile" if args.compile else "")


def first_line(error):
    """The kind of an error and the first line of its text."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


if __name__ == "__main__":
    main()
