"""Fashion-MNIST's IDX files as NumPy arrays."""

import gzip
import math
import sys

import numpy as np


def read(folder, split):
    """Images `[N, H, W]` and labels `[N]` of `train` or `t10k`, both of bytes."""
    return read_file(folder, f"{split}-images-idx3-ubyte"), read_file(folder, f"{split}-labels-idx1-ubyte")


def read_file(folder, name):
    """An IDX file of bytes: magic number 0, 0, 8, dimensions, then the sizes, big-endian."""
    plain, gzipped = folder / name, folder / f"{name}.gz"
    if plain.exists():
        raw = plain.read_bytes()
    elif gzipped.exists():
        raw = gzip.decompress(gzipped.read_bytes())
    else:
        sys.exit(f"error: neither `{plain}` nor `{gzipped.name}` is there")
    dimensions = raw[3]
    header = 4 + 4 * dimensions
    shape = np.frombuffer(raw[4:header], dtype=">u4").astype(int)
    if raw[:3] != b"\0\0\x08" or len(raw) != header + math.prod(shape):
        sys.exit(f"error: `{name}` is not an IDX file of bytes, or not a whole one")
    return np.frombuffer(raw, dtype=np.uint8, offset=header).reshape(shape)
