"""Reads files of tinderbox, of checkpoint format 1 and of the one that names moments.

Temporary, as `scripts/compare-programs`.
"""

import array
import hashlib
import json
import math
import re
import tomllib

NUMBERED = re.compile(r"(good\.|)optimizer\.(\d+)\.(first|second)")


class Tensors:
    """The tensors of a safetensors file by name, moments by the name of their parameter."""

    def __init__(self, path):
        data = path.read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8:8 + size])
        self.metadata = header.pop("__metadata__", {})
        self.data = memoryview(data)[8 + size:]
        self.entries = {}
        order = sorted(header, key=lambda name: header[name]["data_offsets"])
        for name in order:
            self.entries[named(name, order)] = header[name]

    def bytes(self, name):
        start, end = self.entries[name]["data_offsets"]
        return self.data[start:end]

    def hash(self, name):
        return hashlib.sha256(self.bytes(name)).hexdigest()

    def values(self, name):
        values = array.array("f")
        values.frombytes(self.bytes(name))
        return values


def named(name, order):
    """The name of a tensor; of a moment with a number, that with its parameter's name.

    Format 1 counts the tensors of the model in the order in which the file has them.
    """
    found = NUMBERED.fullmatch(name)
    if not found:
        return name
    point, number, moment = found.groups()
    model = [other for other in order if other.startswith(f"{point}model.")]
    parameter = model[int(number)].removeprefix(f"{point}model.")
    return f"{point}optimizer.{parameter}.{moment}"


def difference(name, old, new):
    """How two tensors of one name differ, in words; None where every bit is the same."""
    if name not in new.entries:
        return "only the old program has it"
    if name not in old.entries:
        return "only the new program has it"
    kinds = [file.entries[name]["dtype"] for file in (old, new)]
    shapes = [file.entries[name]["shape"] for file in (old, new)]
    flat = "optimizer." in name  # a moment may get its parameter's shape, but no other order
    if kinds[0] != kinds[1] or (shapes[0] != shapes[1] and not flat):
        return f"{kinds[0]} {shapes[0]} became {kinds[1]} {shapes[1]}"
    if old.hash(name) == new.hash(name):
        return None
    before, after = old.values(name), new.values(name)
    if len(before) != len(after):
        return f"{len(before)} values became {len(after)}"
    if sorted(before) == sorted(after):
        return f"the same {len(before)} values in another order (transposed?), shape {shapes[1]}"
    pairs = enumerate(zip(before, after))
    places = [i for i, (a, b) in pairs if a != b and not (math.isnan(a) and math.isnan(b))]
    if not places:
        return "the same numbers with other bits: a sign of zero, or a NaN"
    at = places[0]
    largest = max((abs(a - b) for a, b in zip(before, after)), default=0.0)
    return (f"{len(places)} of {len(before)} values differ by up to {largest:.1e}, "
            f"first at {at}: {before[at]!r} became {after[at]!r}")


def differences(old, new):
    """The names of the tensors that differ, and how."""
    names = [*old.entries, *(name for name in new.entries if name not in old.entries)]
    found = ((name, difference(name, old, new)) for name in names)
    return {name: how for name, how in found if how}


def numbers(text):
    """Every number of a text, such as the lines of a history."""
    found = re.findall(r"[-+]?(?:\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|nan|inf)\b", text)
    return [float(word.replace("_", "")) for word in found]


def compare_states(old, new):
    """(what differs in the counters and the history, what else there is to note)."""
    wrong, notes = [], []
    for key in ["state", "good.state"]:
        texts = [file.metadata.get(key) for file in (old, new)]
        if texts == [None, None]:
            continue
        if None in texts:
            notes.append(f"`{key}` is in one file only")
            continue
        before, after = (tomllib.loads(text) for text in texts)
        for field in sorted(before.keys() | after.keys()):
            a, b = before.get(field), after.get(field)
            if a == b:
                continue
            if field == "history" and str(a) != str(b) and numbers(str(a)) == numbers(str(b)):
                notes.append(f"`{key}`: the history has another form, and the same numbers")
            elif field in ("step", "best_epoch", "history"):
                wrong.append(f"`{key}`: {field} {a!r} became {b!r}")
            else:
                notes.append(f"`{key}`: {field} {a!r} became {b!r}")
    return wrong, notes


def step(path):
    """The step that a checkpoint was taken after."""
    return tomllib.loads(Tensors(path).metadata["state"])["step"]

