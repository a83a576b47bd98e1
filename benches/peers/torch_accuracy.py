#!/usr/bin/env python3
"""Trains the `cnn` in PyTorch on Fashion-MNIST: the reference for what tinderbox says of accuracy.

The folder holds the four IDX files under their usual names, gzipped or not. AdamW, a one-cycle
learning rate, no augmentation, no validation split: the test images are read once, at the end.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

import common
import idx
import torch_models

CLASSES = 10
MINI_TRAIN_PER_CLASS = 1000
MINI_TEST_PER_CLASS = 200


def main():
    args = parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    train_images, train_labels = load(args.folder, "train", MINI_TRAIN_PER_CLASS if args.mini else None)
    test_images, test_labels = load(args.folder, "t10k", MINI_TEST_PER_CLASS if args.mini else None)
    mean, std = train_images.mean(), train_images.std()
    net = torch_models.build("cnn", train_images.shape[-1], 1, CLASSES)
    train(net, (train_images - mean) / std, train_labels, args)
    accuracy = evaluate(net, (test_images - mean) / std, test_labels)
    result = {
        "test_accuracy": round(accuracy, 4),
        "train_images": len(train_images),
        "test_images": len(test_images),
        "epochs": args.epochs,
        "batch": args.batch,
        "learning_rate": args.lr,
        "seed": args.seed,
        "version": torch.__version__,
    }
    print(json.dumps(result) if args.json else f"test accuracy {accuracy:.4f} on {len(test_images):,} images")


def parse_args():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("folder", type=Path, help="where the IDX files are")
    flags.add_argument(
        "--mini",
        action="store_true",
        help=f"the first {MINI_TRAIN_PER_CLASS:,} training and {MINI_TEST_PER_CLASS} test images of each class",
    )
    flags.add_argument("--epochs", type=common.positive, default=10)
    flags.add_argument("--batch", type=common.positive, default=128)
    flags.add_argument("--lr", type=float, default=3e-3, help="peak of the one-cycle learning rate")
    flags.add_argument("--seed", type=int, default=common.SEED)
    flags.add_argument("--threads", type=common.positive, default=torch.get_num_threads())
    flags.add_argument("--json", action="store_true", help="print one JSON object")
    return flags.parse_args()


def load(folder, split, per_class):
    """Images `[N, 1, H, W]` in 0..1 and labels `[N]`; with `per_class`, the first so many of each."""
    images, labels = idx.read(folder, split)
    if per_class is not None:
        first = [np.flatnonzero(labels == label)[:per_class] for label in range(CLASSES)]
        kept = np.sort(np.concatenate(first))
        images, labels = images[kept], labels[kept]
    return torch.from_numpy(images[:, None].astype(np.float32) / 255), torch.from_numpy(labels.astype(np.int64))


def train(net, images, labels, args):
    """`--epochs` passes in a new order each; the last batch of a pass may be smaller."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=common.WEIGHT_DECAY, fused=True)
    steps = args.epochs * math.ceil(len(images) / args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=args.lr, total_steps=steps)
    net.train()
    for epoch in range(args.epochs):
        total = 0.0
        for batch in torch.randperm(len(images)).split(args.batch):
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(net(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        print(f"epoch {epoch + 1}/{args.epochs}: loss {total / len(images):.4f}", file=sys.stderr)


def evaluate(net, images, labels):
    """The share of images whose highest logit is that of their label."""
    net.eval()
    with torch.inference_mode():
        guesses = torch.cat([net(batch).argmax(1) for batch in images.split(1000)])
    return (guesses == labels).float().mean().item()


if __name__ == "__main__":
    main()
