#!/usr/bin/env python3
"""Images per second of a `tf.data` pipeline over files in class folders."""

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pathlib

import tensorflow as tf

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SIZE = 224


def main():
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("folder", help="of classes")
    flags.add_argument("--kind", choices=["photos", "large", "icons"], required=True)
    flags.add_argument("--batch", type=int, default=64)
    args = flags.parse_args()
    start = time.perf_counter()
    classes = sorted(path.name for path in pathlib.Path(args.folder).iterdir() if path.is_dir())
    pairs = [(str(file), label) for label, name in enumerate(classes) for file in sorted((pathlib.Path(args.folder) / name).iterdir())]
    paths, labels = zip(*pairs)
    load = {"photos": random_crop, "large": center_crop, "icons": whole}[args.kind]
    data = tf.data.Dataset.from_tensor_slices((list(paths), list(labels))).shuffle(len(pairs), seed=0)
    data = data.map(lambda path, label: (normalise(load(tf.io.read_file(path))), label), num_parallel_calls=tf.data.AUTOTUNE)
    data = data.batch(args.batch).prefetch(tf.data.AUTOTUNE)
    listed = time.perf_counter()
    count = sum(int(labels.shape[0]) for _, labels in data)
    end = time.perf_counter()
    result = {"images_per_second": count / (end - listed), "whole_images_per_second": count / (end - start)}
    print(json.dumps({"version": tf.__version__, **result}))


def normalise(image):
    return (tf.cast(image, tf.float32) / 255 - MEAN) / STD


def random_crop(data):
    """A crop of the JPEG alone is decoded, as TensorFlow's own examples for ImageNet do it."""
    shape = tf.io.extract_jpeg_shape(data)
    begin, size, _ = tf.image.sample_distorted_bounding_box(
        shape, tf.zeros([1, 0, 4]), area_range=(0.08, 1.0), aspect_ratio_range=(3 / 4, 4 / 3), use_image_if_no_bounding_boxes=True
    )
    window = tf.stack([begin[0], begin[1], size[0], size[1]])
    image = tf.io.decode_and_crop_jpeg(data, window, channels=3)
    return tf.image.random_flip_left_right(tf.image.resize(image, [SIZE, SIZE], antialias=True))


def center_crop(data):
    image = tf.io.decode_jpeg(data, channels=3)
    shape = tf.cast(tf.shape(image), tf.float32)
    scale = 256 / tf.minimum(shape[0], shape[1])
    image = tf.image.resize(image, tf.cast(tf.round(shape[:2] * scale), tf.int32), antialias=True)
    return tf.image.resize_with_crop_or_pad(image, SIZE, SIZE)


def whole(data):
    return tf.ensure_shape(tf.io.decode_png(data, channels=3), [32, 32, 3])


if __name__ == "__main__":
    main()
