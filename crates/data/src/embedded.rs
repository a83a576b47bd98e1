//! The data set inside the program: 10,000 training and 2,000 test images of Fashion-MNIST.
//!
//! `scripts/make/fashion-mnist-mini` makes the file: the pixels of the first 1,000 training images
//! of each class in the order of the classes, then those of the first 200 test images, packed by
//! LZMA. The labels follow from the order. Each image is stored column by column: the file is 4%
//! smaller than row by row, because a pixel of clothing differs less from the one above it (by 17 on
//! average) than from the one to its left (by 22).

use std::io::{self, Read as _};
use std::sync::Arc;

use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

use crate::dataset::{Dataset, Sample, Source, Store};

/// Its name.
pub const EMBEDDED: &str = "fashion-mnist-mini";

/// The classes as Zalando Research names them.
const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

const SIDE: usize = 28;
const TRAIN_PER_CLASS: usize = 1000;
const TEST_PER_CLASS: usize = 200;

static PACKED: &[u8] = include_bytes!("../assets/fashion-mnist-mini.lzma");

/// The data set. Its images are unpacked when the first one is asked for, which takes about
/// 0.2 seconds on one core.
pub fn open() -> Dataset {
    let train = TRAIN_PER_CLASS * CLASSES.len();
    let images = train + TEST_PER_CLASS * CLASSES.len();
    let store = Arc::new(Store::new([SIDE, SIDE, 1], move || unpack(images)));
    let sample = |index: usize, split: &str, first: usize, per_class: usize| Sample {
        key: format!("{split}#{}", index - first).into(),
        label: (((index - first) / per_class) as u32).into(),
        group: None,
        source: Source::Memory(Arc::clone(&store), index),
    };
    Dataset {
        name: EMBEDDED.to_owned(),
        path: None,
        single_tree: false,
        classes: CLASSES.map(str::to_owned).to_vec(),
        splits: [
            (0..train).map(|i| sample(i, "train", 0, TRAIN_PER_CLASS)).collect::<Vec<_>>(),
            Vec::new(),
            (train..images).map(|i| sample(i, "test", train, TEST_PER_CLASS)).collect(),
        ]
        .map(Arc::new),
        ..Dataset::default()
    }
}

/// The pixels of all `images`, `[N, H, W]`.
fn unpack(images: usize) -> Vec<u8> {
    let mut data = vec![0; images * SIDE * SIDE];
    Stream::new_lzma_decoder(u64::MAX)
        .map_err(io::Error::from)
        .and_then(|stream| XzDecoder::new_stream(PACKED, stream).read_exact(&mut data))
        .expect("the images in the program are whole, as a test checks");
    for image in data.chunks_exact_mut(SIDE * SIDE) {
        for row in 0..SIDE {
            for column in 0..row {
                image.swap(row * SIDE + column, column * SIDE + row);
            }
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::Split;

    #[test]
    fn the_embedded_images_are_balanced_and_whole() {
        let dataset = open();
        for (split, per_class) in [(Split::Train, 1000), (Split::Test, 200)] {
            let mut counts = [0; 10];
            dataset.split(split).iter().for_each(|s| counts[s.label.stratum(10)] += 1);
            assert_eq!(counts, [per_class; 10]);
        }
        assert_eq!(crate::look(&dataset), crate::Look { size: Some([28, 28]), color: false });
        let Source::Memory(store, _) = &dataset.split(Split::Train)[0].source else { panic!() };
        // `sha256sum` of the pixels that `scripts/make/fashion-mnist-mini` takes from the originals.
        let known = "28f18b801ea088981350ccec4e88d2d5a6bd303ee86c624887dbcfdb9f49cd6e";
        let data: Vec<u8> = (0..12_000).flat_map(|index| store.bytes(index).to_vec()).collect();
        for (byte, text) in Sha256::digest(&data).iter().zip(known.as_bytes().chunks(2)) {
            assert_eq!(format!("{byte:02x}").as_bytes(), text);
        }
        assert!(PACKED.len() <= 4_300_000);
    }
}
