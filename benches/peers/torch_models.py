"""The zoo of the benchmark in PyTorch. Input: `[N, C, H, W]`, output: logits `[N, K]`."""

from torch import nn

from common import SMALL_STEM_BELOW


def build(model, size, channels, classes):
    """The model by name, randomly initialised."""
    return BUILDERS[model](size, channels, classes)


def mlp(size, channels, classes):
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(size * size * channels, 512),
        nn.ReLU(),
        nn.Linear(512, 256),
        nn.ReLU(),
        nn.Linear(256, classes),
    )


def lenet(size, channels, classes):
    side = ((size - 4) // 2 - 4) // 2
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * side * side, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, classes),
    )


def cnn(size, channels, classes):
    """Keras's "Simple MNIST convnet"."""
    side = ((size - 2) // 2 - 2) // 2
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64 * side * side, classes),
    )


def resnet18(size, channels, classes):
    """torchvision's; small images keep their resolution through the stem."""
    from torchvision import models  # here: it takes seconds, and the small nets do without

    net = models.resnet18(num_classes=classes)
    if size < SMALL_STEM_BELOW:
        net.conv1 = nn.Conv2d(channels, 64, 3, stride=1, padding=1, bias=False)
        net.maxpool = nn.Identity()
    elif channels != 3:
        net.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    return net


def mobilenet_v2(size, channels, classes):
    """torchvision's; small images skip the first two of its five halvings."""
    from torchvision import models

    net = models.mobilenet_v2(num_classes=classes)
    small = size < SMALL_STEM_BELOW
    if small or channels != 3:
        net.features[0][0] = nn.Conv2d(channels, 32, 3, stride=1 if small else 2, padding=1, bias=False)
    if small:
        depthwise = net.features[2].conv[1][0]  # the first block with a stride: 16 -> 24 channels
        assert depthwise.stride == (2, 2)
        depthwise.stride = (1, 1)
    return net


BUILDERS = {
    "mlp": mlp,
    "lenet": lenet,
    "cnn": cnn,
    "resnet18": resnet18,
    "mobilenet_v2": mobilenet_v2,
}
