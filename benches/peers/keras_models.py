"""The zoo of the benchmark in Keras. Input: `[N, H, W, C]`, output: logits `[N, K]`.

The two large nets follow torchvision layer by layer: zero-padding on both sides (Keras's "same"
pads a strided convolution on one side only), batch norm with epsilon 1e-5 and momentum 0.9 (which
PyTorch calls 0.1), no bias before a batch norm.
"""

import keras
from keras import layers

from common import SMALL_STEM_BELOW


def build(model, size, channels, classes):
    """The model by name, randomly initialised."""
    images = keras.Input((size, size, channels))
    return keras.Model(images, BUILDERS[model](images, size, classes))


def mlp(x, size, classes):
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu")(x)
    x = layers.Dense(256, activation="relu")(x)
    return layers.Dense(classes)(x)


def lenet(x, size, classes):
    x = layers.Conv2D(6, 5, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(16, 5, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(120, activation="relu")(x)
    x = layers.Dense(84, activation="relu")(x)
    return layers.Dense(classes)(x)


def cnn(x, size, classes):
    """Keras's "Simple MNIST convnet"."""
    x = layers.Conv2D(32, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.5)(x)
    return layers.Dense(classes)(x)


def resnet18(x, size, classes):
    """torchvision's; small images keep their resolution through the stem."""
    if size < SMALL_STEM_BELOW:
        x = layers.ReLU()(conv_norm(x, 64, 3, 1))
    else:
        x = layers.ReLU()(conv_norm(x, 64, 7, 2))
        # Zeros pad as well as torchvision's minus infinity: the values come out of a ReLU.
        x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))
    for width, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        x = basic_block(x, width, stride)
        x = basic_block(x, width, 1)
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dense(classes)(x)


def basic_block(x, width, stride):
    """Two 3x3 convolutions and a way around them."""
    around = x
    if stride != 1 or x.shape[-1] != width:
        around = conv_norm(x, width, 1, stride)
    x = layers.ReLU()(conv_norm(x, width, 3, stride))
    x = conv_norm(x, width, 3, 1)
    return layers.ReLU()(layers.Add()([x, around]))


# Expansion, channels, blocks, stride of the first block: Table 2 of Sandler et al. 2018.
MOBILENET_V2_STAGES = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]


def mobilenet_v2(x, size, classes):
    """torchvision's; small images skip the first two of its five halvings."""
    small = size < SMALL_STEM_BELOW
    x = relu6(conv_norm(x, 32, 3, 1 if small else 2))
    for stage, (expansion, width, blocks, first_stride) in enumerate(MOBILENET_V2_STAGES):
        if small and stage == 1:
            first_stride = 1
        for block in range(blocks):
            x = inverted_residual(x, expansion, width, first_stride if block == 0 else 1)
    x = relu6(conv_norm(x, 1280, 1, 1))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return layers.Dense(classes)(x)


def inverted_residual(x, expansion, width, stride):
    """Widen, filter each channel by itself, narrow; with a way around where shapes allow."""
    around = x
    if expansion != 1:
        x = relu6(conv_norm(x, x.shape[-1] * expansion, 1, 1))
    x = layers.DepthwiseConv2D(3, stride, use_bias=False, padding="valid" if stride > 1 else "same")(pad(x, 3, stride))
    x = conv_norm(relu6(norm(x)), width, 1, 1)
    return layers.Add()([x, around]) if stride == 1 and around.shape[-1] == width else x


def conv_norm(x, width, kernel, stride):
    """A convolution without bias, padded as in torchvision, and a batch norm."""
    padding = "valid" if stride > 1 else "same"
    return norm(layers.Conv2D(width, kernel, stride, padding=padding, use_bias=False)(pad(x, kernel, stride)))


def pad(x, kernel, stride):
    """Zeros on both sides before a strided convolution; at stride 1, "same" does just that."""
    return layers.ZeroPadding2D(kernel // 2)(x) if stride > 1 and kernel > 1 else x


def norm(x):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def relu6(x):
    return layers.Activation("relu6")(x)


BUILDERS = {
    "mlp": mlp,
    "lenet": lenet,
    "cnn": cnn,
    "resnet18": resnet18,
    "mobilenet_v2": mobilenet_v2,
}
