"""Loads a model file into torchvision's network and prints its probabilities for one image.

usage: torchvision.py MODEL FILE PIXELS    (PIXELS: raw bytes, [H, W, C])
"""

import json
import struct
import sys

import torch
import torchvision


def read(path):
    """The metadata and tensors of a safetensors file of 32-bit floats."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        flat = torch.frombuffer(data[start:end], dtype=torch.float32)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return metadata, tensors


def network(name, classes):
    """torchvision's network with the stem for small images."""
    model = getattr(torchvision.models, name)(weights=None, num_classes=classes)
    if name == "resnet18":
        model.conv1 = torch.nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
        model.maxpool = torch.nn.Identity()
    else:
        strided = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d) and m.stride == (2, 2)]
        for conv in strided[:2]:
            conv.stride = (1, 1)
    return model


def main():
    name, path, pixels = sys.argv[1:]
    metadata, tensors = read(path)
    how = json.loads(metadata["preprocessing"])
    model = network(name, len(json.loads(metadata["classes"])))
    counters = {key: value for key, value in model.state_dict().items() if key.endswith("num_batches_tracked")}
    model.load_state_dict({**counters, **tensors}, strict=True)
    model.eval()
    shape = [how["height"], how["width"], how["channels"]]
    with open(pixels, "rb") as file:
        image = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8).reshape(shape)
    mean, std = torch.tensor(how["mean"]), torch.tensor(how["std"])
    image = ((image.float() / 255 - mean) / std).permute(2, 0, 1).unsqueeze(0)
    with torch.no_grad():
        print(json.dumps(model(image).softmax(1)[0].double().tolist()))


main()
