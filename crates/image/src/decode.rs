//! From bytes to pixels: the same for train, evaluate and predict.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, metadata::Orientation};
use tinderbox_base::files;

use crate::jpeg::Jpeg;
use crate::{DecodeSize, Pixels, jpeg};

/// The names of files that are taken for images.
pub const IMAGE_EXTENSIONS: &[&str] =
    &["png", "jpg", "jpeg", "jfif", "webp", "bmp", "gif", "tif", "tiff", "qoi"];

/// Bounds on what one image may cost: a file of this size, these sides, this memory.
pub const MOST_FILE_BYTES: u64 = 256 << 20;
const MOST_SIDE: u32 = 65_535;
const MOST_MEMORY: u64 = 512 << 20;

/// What stands behind transparent pixels.
const BACKGROUND: u32 = 255;

/// The bytes of an image's file.
///
/// # Errors
/// Why they cannot be read, in words.
pub fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    files::read_at_most(path, MOST_FILE_BYTES).map_err(|error| error.cause.unwrap_or(error.message))
}

/// Decodes a PNG, JPEG, WebP, BMP, GIF (first frame), TIFF or QOI and turns it as its EXIF
/// orientation says. Transparent pixels are laid over white.
///
/// # Errors
/// Why it cannot be decoded, in words; also when the decoder panics.
pub fn decode(bytes: &[u8], want: DecodeSize) -> Result<Pixels, String> {
    if jpeg::is_jpeg(bytes) {
        let jpeg = Jpeg::open(bytes)?;
        check_size(jpeg.header.size)?;
        let [height, width] = want.least;
        let turned = is_turned(jpeg.header.orientation);
        let pixels = jpeg.decode(want, if turned { [width, height] } else { [height, width] })?;
        return Ok(oriented(pixels, jpeg.header.orientation));
    }
    contained(|| {
        let mut decoder = decoder(bytes)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(|cause| plain(&cause))?;
        check_size([image.height() as usize, image.width() as usize])?;
        image.apply_orientation(orientation);
        Ok(to_pixels(image, want.channels))
    })
}

/// Runs a decoder so that a panic in it is an error like any other.
fn contained<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err("the decoder gave up on this file".to_owned()))
}

fn check_size([height, width]: [usize; 2]) -> Result<(), String> {
    if height == 0 || width == 0 {
        return Err("the picture has no pixels".to_owned());
    }
    let bytes = (height as u64).saturating_mul(width as u64).saturating_mul(3);
    if bytes > MOST_MEMORY {
        return Err(format!("{width}x{height} pixels are too many"));
    }
    Ok(())
}

fn decoder(bytes: &[u8]) -> Result<impl ImageDecoder + '_, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|c| files::describe(&c))?;
    if reader.format().is_none() {
        return Err(if bytes.is_empty() {
            "the file is empty"
        } else {
            "not an image of a known type"
        }
        .to_owned());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_SIDE);
    limits.max_image_height = Some(MOST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|cause| plain(&cause))?;
    let (width, height) = decoder.dimensions();
    check_size([height as usize, width as usize])?;
    if decoder.total_bytes() > MOST_MEMORY {
        return Err(format!("{width}x{height} pixels are too many"));
    }
    Ok(decoder)
}

fn plain(cause: &image::ImageError) -> String {
    let text = cause.to_string();
    text.lines().next().unwrap_or("it cannot be decoded").to_owned()
}

fn is_turned(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// The picture as it is meant to be looked at.
fn oriented(pixels: Pixels, orientation: Orientation) -> Pixels {
    if orientation == Orientation::NoTransforms {
        return pixels;
    }
    let (width, height, channels) = (pixels.width as u32, pixels.height as u32, pixels.channels);
    let image = if channels == 1 {
        image::GrayImage::from_raw(width, height, pixels.data).map(DynamicImage::from)
    } else {
        image::RgbImage::from_raw(width, height, pixels.data).map(DynamicImage::from)
    };
    // The lengths agree, as `Pixels` checks.
    let mut image = image.unwrap_or_default();
    image.apply_orientation(orientation);
    Pixels::new(image.width() as usize, image.height() as usize, channels, image.into_bytes())
}

/// Height and width, and whether there is colour, from the header alone.
///
/// # Errors
/// Why the header cannot be read.
pub fn header(bytes: &[u8]) -> Result<([usize; 2], bool), String> {
    let (size, color, orientation) = if jpeg::is_jpeg(bytes) {
        let header = Jpeg::open(bytes)?.header;
        (header.size, header.color, header.orientation)
    } else {
        contained(|| {
            let mut decoder = decoder(bytes)?;
            let (width, height) = decoder.dimensions();
            let color = decoder.color_type().has_color();
            let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
            Ok(([height as usize, width as usize], color, orientation))
        })?
    };
    let [height, width] = size;
    Ok((if is_turned(orientation) { [width, height] } else { size }, color))
}

fn to_pixels(image: DynamicImage, channels: usize) -> Pixels {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let color = image.color();
    let data = if color.has_alpha() {
        let rgba = image.into_rgba8().into_raw();
        let rgb = rgba.chunks_exact(4).flat_map(|p| [0, 1, 2].map(|c| over_background(p[c], p[3])));
        rgb.collect()
    } else if channels == 1 && !color.has_color() {
        return Pixels::new(width, height, 1, image.into_luma8().into_raw());
    } else {
        image.into_rgb8().into_raw()
    };
    Pixels::new(width, height, 3, data).with_channels(channels)
}

fn over_background(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + BACKGROUND * (255 - alpha) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_image_is_an_error_and_no_panic() {
        assert_eq!(decode(b"", DecodeSize::all(3)).unwrap_err(), "the file is empty");
        assert_eq!(
            decode(b"hello", DecodeSize::all(3)).unwrap_err(),
            "not an image of a known type"
        );
        let mut png = Vec::new();
        DynamicImage::new_rgb8(9, 9)
            .write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png)
            .unwrap();
        assert!(decode(&png, DecodeSize::all(3)).is_ok());
        let pixels_end = png.len() - 24; // what follows is not needed for the pixels
        for cut in 0..pixels_end {
            assert!(decode(&png[..cut], DecodeSize::all(1)).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn transparent_pixels_are_laid_over_white() {
        let mut png = Vec::new();
        DynamicImage::new_rgba8(1, 1)
            .write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png)
            .unwrap();
        assert_eq!(decode(&png, DecodeSize::all(3)).unwrap().data, [255; 3]);
        assert_eq!(decode(&png, DecodeSize::all(1)).unwrap().data, [255]);
    }
}
