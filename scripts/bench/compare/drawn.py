"""Data sets that are drawn from numbers alone, so that they are the same everywhere.

Temporary, as `scripts/compare-programs`. JPEGs are written without an encoder of others: their
coefficients are drawn, and every symbol has a code of the same length, so that nothing of an image
has to be transformed or measured.
"""

import struct

MASK = (1 << 64) - 1


def noise(*address):
    """A whole number of 32 bits that depends on the address alone (the mixer of SplitMix64)."""
    x = 0x5851F42D4C957F2D
    for part in address:
        x = (x ^ (part & MASK)) * 0x9E3779B97F4A7C15 & MASK
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
        x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return (x ^ x >> 31) & 0xFFFFFFFF


class Bits:
    """Bits of a JPEG's scan: a byte of ones is followed by a zero byte."""

    def __init__(self):
        self.bytes, self.held, self.count = bytearray(), 0, 0

    def put(self, value, size):
        self.held, self.count = self.held << size | value, self.count + size
        while self.count >= 8:
            self.count -= 8
            byte = self.held >> self.count & 0xFF
            self.bytes += b"\xff\x00" if byte == 0xFF else bytes([byte])
        self.held &= (1 << self.count) - 1

    def end(self):
        if self.count:
            self.put((1 << 8 - self.count) - 1, 8 - self.count)
        return bytes(self.bytes)


DC_SYMBOLS = list(range(12))  # sizes; codes of 4 bits
AC_SYMBOLS = [0x00, *(run << 4 | size for run in range(16) for size in range(1, 11))]  # 8 bits
AC_CODES = {symbol: code for code, symbol in enumerate(AC_SYMBOLS)}


def value_bits(value):
    """A coefficient's size, and the bits that tell it among those of its size."""
    size = abs(value).bit_length()
    return size, value if value >= 0 else value + (1 << size) - 1


def block(bits, difference, coefficients):
    """Writes the DC difference, and coefficients as (zeros before it, value)."""
    size, rest = value_bits(difference)
    bits.put(size, 4)
    bits.put(rest, size)
    for zeros, value in coefficients:
        size, rest = value_bits(value)
        bits.put(AC_CODES[zeros << 4 | size], 8)
        bits.put(rest, size)
    bits.put(AC_CODES[0], 8)


# The mean of Y, Cb and Cr of each class, in steps of 8 of a pixel's value, from 128 on.
COLOURS = [(-4, 5, -3), (3, -4, 4), (1, 2, -5), (-2, -5, 2)]


def scan(width, height, colour, address):
    """The coefficients of an image: 4 blocks of Y, one of Cb and one of Cr for 16x16 pixels."""
    bits, before = Bits(), [0, 0, 0]
    for unit in range(-(-width // 16) * -(-height // 16)):
        for part, component in enumerate([0, 0, 0, 0, 1, 2]):
            draw = [noise(*address, unit, part, number) for number in range(8)]
            dc = colour[component] * 8 + draw[0] % 33 - 16
            values = [(draw[i] % 3, draw[i + 1] % 15 - 7) for i in (1, 3, 5)]
            kept = [(zeros, value) for zeros, value in values if value]
            block(bits, dc - before[component], kept)
            before[component] = dc
    return bits.end()


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def codes(kind, length, symbols):
    counts = [len(symbols) if size == length else 0 for size in range(1, 17)]
    return segment(0xC4, bytes([kind, *counts, *symbols]))


def jpeg(width, height, label, number):
    """A baseline JPEG, 4:2:0, of a class's colour."""
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes([1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0])
    return b"".join([
        b"\xff\xd8",
        segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        segment(0xDB, bytes([0] + [8] * 64)),
        segment(0xC0, frame),
        codes(0x00, 4, DC_SYMBOLS),
        codes(0x10, 8, AC_SYMBOLS),
        segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])),
        scan(width, height, COLOURS[label], (label, number)),
        b"\xff\xd9",
    ])


def photos(folder, each=24):
    """A tree of JPEGs of a few sizes in four classes; the program makes the splits."""
    for label, name in enumerate(["ash", "birch", "cedar", "dogwood"]):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            width, height = 84 + noise(label, number) % 13, 66 + noise(number, label) % 9
            (folder / name / f"{number:03}.jpg").write_bytes(jpeg(width, height, label, number))


def idx(dimensions, content):
    header = bytes([0, 0, 8, len(dimensions)]) + struct.pack(f">{len(dimensions)}I", *dimensions)
    return header + content


def digits(folder, train=320, test=80, classes=5):
    """IDX files of noisy 28x28 images: class `k` has a bright band at row `5k`."""
    folder.mkdir(parents=True)
    for split, (part, count) in enumerate([("train", train), ("t10k", test)]):
        pixels = bytearray()
        for image in range(count):
            for row in range(28):
                bright = 120 if row // 5 == image % classes else 10
                pixels += bytes(bright + noise(split, image, row, x) % 110 for x in range(28))
        labels = bytes(image % classes for image in range(count))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx([count, 28, 28], bytes(pixels)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx([count], labels))
