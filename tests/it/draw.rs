//! Pictures and data sets, small and always the same.

use std::io::{Cursor, Write};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use turbojpeg::{Compressor, PixelFormat};

use crate::lab::Lab;

/// The classes of [`colours`]; their pictures are mostly of that colour.
pub const COLOURS: [&str; 3] = ["blue", "green", "red"];

const RGB: [[u8; 3]; 3] = [[40, 60, 200], [50, 180, 60], [210, 50, 40]];

/// A number below `below` that depends on `address` alone.
fn noise(address: u64, below: u64) -> u64 {
    let mut x = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) % below
}

/// The next draw of a linear congruential generator (Knuth, MMIX), below `below`.
pub fn draw(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % below.max(1)
}

/// A noisy, striped picture of colour `class`; `number` makes it unlike the others.
pub fn picture(class: usize, number: usize, width: u32, height: u32) -> RgbImage {
    let stripe = 2 + (number % 5) as u32;
    RgbImage::from_fn(width, height, |x, y| {
        let address = (((class * 1000 + number) as u64) << 32) + u64::from(y * width + x);
        let shade = if ((x + y) / stripe).is_multiple_of(2) { 0 } else { 25 };
        let value = |channel: usize| {
            let wobble = noise(address * 3 + channel as u64, 40) as u8;
            RGB[class][channel].saturating_sub(shade).saturating_add(wobble)
        };
        Rgb([value(0), value(1), value(2)])
    })
}

/// The bytes of a picture in the format of a file's extension.
pub fn encode(picture: &RgbImage, extension: &str) -> Vec<u8> {
    if matches!(extension, "jpg" | "jpeg") {
        return jpeg(picture, |_| {});
    }
    let format = ImageFormat::from_extension(extension).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture.clone()).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The bytes of a picture as JPEG, of a kind that `set` chooses.
pub fn jpeg(picture: &RgbImage, set: impl FnOnce(&mut Compressor)) -> Vec<u8> {
    let mut compressor = Compressor::new().unwrap();
    compressor.set_quality(90).unwrap();
    set(&mut compressor);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.as_raw().as_slice();
    let image =
        turbojpeg::Image { pixels, width, pitch: width * 3, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(image).unwrap()
}

/// `count` pictures of each colour, 12x12 PNG, as `<below>/<class>/<number>.png`.
pub fn tree(lab: &Lab, below: &str, count: usize) {
    tree_from(lab, below, 0..count);
}

/// The pictures of these numbers, of each colour.
pub fn tree_from(lab: &Lab, below: &str, numbers: std::ops::Range<usize>) {
    for (class, name) in COLOURS.into_iter().enumerate() {
        for number in numbers.clone() {
            let bytes = encode(&picture(class, number, 12, 12), "png");
            lab.write(format!("{below}/{name}/{number:03}.png"), bytes);
        }
    }
}

/// A lab with the data set `colours`: 12 training, 3 validation and 3 test pictures of each class.
pub fn colours() -> Lab {
    let lab = Lab::new();
    tree_from(&lab, "datasets/colours/train", 0..12);
    tree_from(&lab, "datasets/colours/val", 12..15);
    tree_from(&lab, "datasets/colours/test", 15..18);
    lab
}

/// A lab with `colours` and a run `base` that has learned it.
pub fn trained() -> Lab {
    let lab = colours();
    lab.train("colours --model mlp --epochs 4 --batch 12 --name base");
    lab
}

/// An IDX file: 00 00 08, the number of dimensions, the dimensions, the bytes.
pub fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend(data);
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Images and labels of a split of 10x10 grey images in `classes` classes: class `k` has its rows
/// `2k` and `2k + 1` bright.
pub fn idx_split(count: u32, classes: u32) -> [Vec<u8>; 2] {
    let pixels = (0..count).flat_map(|image| {
        (0..100u32).map(move |pixel| {
            let bright = if pixel / 20 == image % classes { 180 } else { 20 };
            bright + noise(u64::from(image * 100 + pixel), 50) as u8
        })
    });
    let pixels: Vec<u8> = pixels.collect();
    let labels: Vec<u8> = (0..count).map(|image| (image % classes) as u8).collect();
    [idx(&[count, 10, 10], &pixels), idx(&[count], &labels)]
}

/// The four IDX files of a data set of 5 classes in `datasets/<name>`.
pub fn idx_folder(lab: &Lab, name: &str) {
    for (part, count) in [("train", 60), ("t10k", 20)] {
        let [images, labels] = idx_split(count, 5);
        lab.write(format!("datasets/{name}/{part}-images-idx3-ubyte"), images);
        lab.write(format!("datasets/{name}/{part}-labels-idx1-ubyte"), labels);
    }
}
