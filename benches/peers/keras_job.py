#!/usr/bin/env python3
"""What `tinderbox train` does with Fashion-MNIST, in Keras: from IDX files to a test accuracy.

The same network, optimiser, batch, split and schedule: AdamW, a linear warm-up of an epoch (at most
a third of all) and a cosine; a tenth of the training images validates after each epoch, and the
weights of the best one are saved and tested.
"""

import argparse
import math
import os
import tempfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import common
import idx
import keras_models

PEAK_RATE = 3e-3
VALIDATION_SHARE = 0.1


def main():
    args = parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    keras.utils.set_random_seed(common.SEED)
    images, labels = idx.read(args.folder, "train")
    images = images[..., None].astype(np.float32) / 255
    order = np.random.default_rng(common.SEED).permutation(len(images))
    held_out = round(len(images) * VALIDATION_SHARE)
    val, train = order[:held_out], order[held_out:]
    mean, std = images[train].mean(), images[train].std()
    images = (images - mean) / std
    test_images, test_labels = idx.read(args.folder, "t10k")
    test_images = (test_images[..., None].astype(np.float32) / 255 - mean) / std

    net = keras_models.build("cnn", images.shape[1], 1, int(labels.max()) + 1)
    net.compile(
        optimizer=keras.optimizers.AdamW(
            learning_rate=schedule(args.epochs * math.ceil(len(train) / args.batch), args.epochs),
            weight_decay=common.WEIGHT_DECAY,
            epsilon=common.EPSILON,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=args.jit,
        steps_per_execution=args.steps_per_execution,
    )
    with tempfile.TemporaryDirectory() as temporary:
        weights = (args.out or Path(temporary)) / "best.weights.h5"
        best = keras.callbacks.ModelCheckpoint(weights, monitor="val_accuracy", save_best_only=True, save_weights_only=True)
        net.fit(
            images[train],
            labels[train],
            batch_size=args.batch,
            epochs=args.epochs,
            validation_data=(images[val], labels[val]),
            validation_batch_size=1000,
            callbacks=[best],
            verbose=0 if args.json else 2,
        )
        net.load_weights(weights)
    _, accuracy = net.evaluate(test_images, test_labels, batch_size=1000, verbose=0)
    version = f"keras {keras.__version__}, tensorflow {tf.__version__}"
    common.show({"test_top1": round(accuracy, 4), "epochs": args.epochs, "version": version}, args.json)


def parse_args():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("folder", type=Path, help="where the IDX files are")
    flags.add_argument("--epochs", type=common.positive, default=3)
    flags.add_argument("--batch", type=common.positive, default=128)
    flags.add_argument("--threads", type=common.positive, default=os.cpu_count())
    flags.add_argument("--jit", action="store_true", help="compile with XLA")
    flags.add_argument("--steps-per-execution", type=common.positive, default=1, metavar="N", help="steps in a graph call")
    flags.add_argument("--out", type=Path, metavar="DIR", help="where the weights stay; nowhere if not given")
    flags.add_argument("--json", action="store_true", help="print one JSON object")
    return flags.parse_args()


def schedule(steps, epochs):
    """The learning rate as tinderbox has it by default."""
    warmup = round(min(steps / epochs, steps / 3))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=PEAK_RATE / (warmup + 1),
        decay_steps=steps - warmup,
        warmup_target=PEAK_RATE,
        warmup_steps=warmup,
    )


if __name__ == "__main__":
    main()
