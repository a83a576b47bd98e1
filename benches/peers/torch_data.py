#!/usr/bin/env python3
"""Images per second of torchvision's `ImageFolder`, `v2` transforms and PyTorch's `DataLoader`."""

import argparse
import json
import time

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def main():
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("folder", help="with a folder `train`, or of classes")
    flags.add_argument("--kind", choices=["photos", "large", "icons", "catalogue"], required=True)
    flags.add_argument("--workers", type=int, default=0)
    flags.add_argument("--batch", type=int, default=64)
    flags.add_argument("--decoder", choices=["pil", "torchvision"], default="pil")
    args = flags.parse_args()
    torch.set_num_threads(1 if args.workers else torch.get_num_threads())
    start = time.perf_counter()
    tensors = args.decoder == "torchvision"
    loader = {"loader": decode} if tensors else {}
    data = ImageFolder(args.folder, transform=transform(args.kind, tensors), allow_empty=True, **loader)
    listed = time.perf_counter()
    batches = iter(DataLoader(data, args.batch, shuffle=True, num_workers=args.workers))
    next(batches)
    first = time.perf_counter()
    result = {"version": torch.__version__, "first_batch_seconds": first - start}
    if args.kind != "catalogue":
        count = args.batch + sum(len(labels) for _, labels in batches)
        end = time.perf_counter()
        result |= {"images_per_second": count / (end - listed), "whole_images_per_second": count / (end - start)}
    print(json.dumps(result))


def decode(path):
    return decode_image(path, mode=ImageReadMode.RGB)


def transform(kind, tensors):
    """What a training does to each image."""
    if kind == "photos":
        geometry = [v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()]
    elif kind == "large":
        geometry = [v2.Resize(256, antialias=True), v2.CenterCrop(224)]
    else:
        geometry = []
    to_tensor = [] if tensors else [v2.PILToTensor()]
    return v2.Compose([*geometry, *to_tensor, v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])


if __name__ == "__main__":
    main()
