"""Data sets to measure loaders on: drawn, so that they can be made anywhere. Needs Pillow and NumPy."""

import io
import os

import numpy as np
from PIL import Image

CLASSES = 10
# Grids that are laid over each other, from large shapes to grain: a JPEG then has about the bytes of a photo.
OCTAVES = [(3, 60), (12, 30), (60, 14), (250, 8)]
# As a sensor has it, alike in the three colours.
NOISE = 5.0
CATALOGUE_CLASSES, CATALOGUE_EMPTY = 1000, 5
# Names of one file that ext4 allows.
LINKS = 60_000


def photo(rng, width, height):
    """A picture with detail at all scales."""
    image = np.full((height, width, 3), 128.0)
    for cells, strength in OCTAVES:
        grid = rng.normal(0, 1, (max(2, cells * height // width), cells, 3)) * 40 + 128
        grid = Image.fromarray(grid.clip(0, 255).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
        image += (np.asarray(grid, dtype=np.float32) - 128) * (strength / 40)
    image += rng.normal(0, NOISE, (height, width, 1))
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


def encode(image, kind):
    out = io.BytesIO()
    image.save(out, kind, **({"quality": 90} if kind == "jpeg" else {}))
    return out.getvalue()


def folders(root, count, make):
    """`count` files as `train/<class>/<number>`, and one of each class to validate; `make` gives the bytes of one."""
    for number in range(count + CLASSES):
        split = "train" if number < count else "val"
        folder = root / split / f"class{number % CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        name, data = make(number)
        (folder / name).write_bytes(data)


def photos(root, count, width, height):
    """JPEG photos of one size; each file is written under several names, as the time to draw large ones would be minutes."""
    rng = np.random.default_rng(0)
    different = [encode(photo(rng, width, height), "jpeg") for _ in range(min(count, 64))]
    folders(root, count, lambda number: (f"{number:06}.jpg", different[number % len(different)]))


def icons(root, count):
    """PNG files of 32x32 pixels, all different."""
    rng = np.random.default_rng(0)
    base = np.asarray(photo(rng, 1024, 1024))

    def make(number):
        x, y = rng.integers(0, 1024 - 32, 2)
        tile = base[y : y + 32, x : x + 32].astype(np.int16) + rng.integers(-4, 5, (32, 32, 3))
        return f"{number:06}.png", encode(Image.fromarray(tile.clip(0, 255).astype(np.uint8)), "png")

    folders(root, count, make)


def catalogue(root, count):
    """`count` files in a thousand classes, some more classes without any: names of a few files of 32x32 pixels."""
    rng = np.random.default_rng(0)
    originals = root.parent / "originals"
    originals.mkdir(exist_ok=True)
    sources = []
    for number in range(count // LINKS + 1):
        source = originals / f"{number}.png"
        source.write_bytes(encode(photo(rng, 32, 32), "png"))
        sources.append(source)
    for number in range(count):
        folder = root / f"class{number % CATALOGUE_CLASSES:04}"
        if number < CATALOGUE_CLASSES:
            folder.mkdir(parents=True)
        os.link(sources[number // LINKS], folder / f"picture-{number:07}.png")
    for number in range(CATALOGUE_EMPTY):
        (root / f"empty{number}").mkdir()
