//! The picture of `datasets check`: pairs of images that are the same, or nearly.

use tinderbox_base::Result;
use tinderbox_image::{Filter, Pixels};

use crate::fonts::{Fonts, clean};
use crate::sheet::{Line, Sheet, Tile, Verdict, first};

/// Two images, what they are called, and why they are shown.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Beside each other.
    pub images: [Pixels; 2],
    /// Their paths.
    pub names: [String; 2],
    /// In few words.
    pub why: String,
}

/// Pixels between the two images of a pair.
const GAP: usize = 4;
/// An image that is so many times as wide as high is not enlarged.
const LONGEST: usize = 4;

/// Pairs of images with their names. At most 64 are shown.
///
/// # Errors
/// If there is no memory for the picture.
pub fn pairs(pairs: &[Pair]) -> Result<Vec<u8>> {
    let (shown, said) = first(pairs, "pair", "pairs");
    let fonts = Fonts::covering(shown.iter().flat_map(|pair| &pair.names).map(String::as_str))?;
    let both: Vec<Pixels> = shown.iter().map(|pair| beside(&pair.images)).collect();
    let mut tiles = Vec::new();
    for (Pair { names: [left, right], why, .. }, pixels) in shown.iter().zip(&both) {
        let lines = vec![
            Line::new(why.as_str(), ""),
            Line::new(clean(left), "").soft().file(),
            Line::new(clean(right), "").soft().file(),
        ];
        tiles.push(Tile { pixels, verdict: Verdict::Open, lines });
    }
    Sheet {
        title: "Pictures that are there twice",
        below: format!("{said}, the worst first; left and right are named below each"),
        tiles,
        empty: "No pairs",
        legend: Vec::new(),
        columns: None,
    }
    .png(&fonts)
}

/// Two images side by side on white, both as high as the higher one, but for long strips.
fn beside(images: &[Pixels; 2]) -> Pixels {
    let height = images[0].height.max(images[1].height);
    let [left, right] = images.each_ref().map(|image| {
        let width = (image.width * height).div_ceil(image.height.max(1));
        if image.height == height || width > LONGEST * height {
            return image.clone();
        }
        image.resized(image.whole(), [height, width], Filter::Bicubic)
    });
    let width = left.width + GAP + right.width;
    let mut data = vec![255; width * height * 3];
    for (image, column) in [(&left, 0), (&right, left.width + GAP)] {
        let image = image.clone().with_channels(3);
        for (row, pixels) in image.data.chunks_exact(image.width * 3).enumerate() {
            let at = (row * width + column) * 3;
            data[at..at + pixels.len()].copy_from_slice(pixels);
        }
    }
    Pixels::new(width, height, 3, data)
}
