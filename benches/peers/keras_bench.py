#!/usr/bin/env python3
"""Images per second of Keras on TensorFlow on the CPU, doing the work of `tinderbox bench`."""

import os

# Both are read when TensorFlow and Keras are imported.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

import common
import keras_models


def main():
    flags = common.parser(__doc__)
    flags.add_argument("--jit", action="store_true", help="compile with XLA")
    args = flags.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    keras.utils.set_random_seed(common.SEED)
    net = keras_models.build(args.model, args.size, args.channels, args.classes)
    if args.params:
        common.check_parameters(sum(w.shape.num_elements() for w in net.trainable_weights), args)
        return
    common.show(bench(net, args), args.json)


def bench(net, args):
    """Trains and infers on one fixed batch of noise.

    The step is a plain `tf.function` fed with resident tensors: `train_on_batch` does the same work
    and on top of it copies the batch, tracks metrics and converts the logs.
    """
    images = tf.random.normal((args.batch, args.size, args.size, args.channels))
    labels = tf.random.uniform((args.batch,), maxval=args.classes, dtype=tf.int32)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.AdamW(
        learning_rate=common.LEARNING_RATE,
        weight_decay=common.WEIGHT_DECAY,
        epsilon=common.EPSILON,
    )
    optimizer.build(net.trainable_variables)

    # The tensors are arguments, not captured: a captured constant could be folded into the graph.
    @tf.function(jit_compile=args.jit)
    def train(images, labels):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, net(images, training=True))
        gradients = tape.gradient(loss, net.trainable_variables)
        optimizer.apply(gradients, net.trainable_variables)
        return loss

    @tf.function(jit_compile=args.jit)
    def infer(images):
        return net(images, training=False)

    return common.measure(
        {
            common.TRAINING: lambda: lambda: train(images, labels).numpy(),
            common.INFERENCE: lambda: lambda: infer(images).numpy(),
        },
        args,
        f"keras {keras.__version__}, tensorflow {tf.__version__}",
        "jit" if args.jit else "no-jit",
    )


if __name__ == "__main__":
    main()
