//! The picture of `datasets show`: images as they are, and varied.

use tinderbox_base::Result;
use tinderbox_base::units::plural;
use tinderbox_image::Pixels;

use crate::fonts::{Fonts, Names};
use crate::sheet::{Line, Sheet, Tile, Verdict};
use crate::tiles::names;

/// An image as it is evaluated, as it is varied, and its class.
#[derive(Clone, Debug)]
pub struct Varied {
    /// Without augmentation.
    pub plain: Pixels,
    /// With it, as many for each image.
    pub varied: Vec<Pixels>,
    /// The number of its class.
    pub class: usize,
}

/// A row an image: first as it is, then varied by what `how` names.
///
/// # Errors
/// If there is no memory for the picture.
pub fn varied(images: &[Varied], classes: &[String], how: &str) -> Result<Vec<u8>> {
    let all = || images.iter().map(|image| image.class);
    let fonts = Fonts::covering(names(classes, all()))?;
    let names = Names::new(classes, &fonts);
    let mut tiles = Vec::new();
    for image in images {
        let tile = |pixels, line: Line| Tile { pixels, verdict: Verdict::Open, lines: vec![line] };
        tiles.push(tile(&image.plain, Line::new(names.label(image.class), "")));
        tiles.extend(image.varied.iter().zip(1..).map(|(pixels, number)| {
            tile(pixels, Line::new(format!("variant {number}"), "").soft())
        }));
    }
    Sheet {
        title: "Images with and without augmentation",
        below: format!(
            "{}: on the left as it is evaluated, then as {how} may show it",
            plural(images.len(), "image", "images")
        ),
        tiles,
        empty: "No images",
        legend: names.legend(all()),
        columns: images.first().map(|image| 1 + image.varied.len()),
    }
    .png(&fonts)
}
