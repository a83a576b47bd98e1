//! From bytes to pixels, and from pixels to the network's size: the same for train, evaluate and
//! predict.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, metadata::Orientation};

use super::catalogue::Source;
use crate::base::{Pixels, files};
use crate::config::Preprocessing;

/// The names of files that are taken for images.
pub const IMAGE_EXTENSIONS: &[&str] = &["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"];

/// Bounds on what one image may cost: a file of this size, these sides, this memory.
const MOST_FILE_BYTES: u64 = 256 << 20;
const MOST_SIDE: u32 = 65_535;
const MOST_MEMORY: u64 = 512 << 20;

/// What stands behind transparent pixels.
const BACKGROUND: u32 = 255;

/// Pixels of a sample with the given number of channels.
///
/// # Errors
/// Why it cannot be decoded, in words.
pub fn load(source: &Source, channels: usize) -> Result<Pixels, String> {
    match source {
        Source::Memory(store, index) => {
            let size = store.height * store.width;
            let grey = &store.data[index * size..(index + 1) * size];
            let pixels = Pixels::new(store.width, store.height, 1, grey.to_vec());
            Ok(if channels == 3 { pixels.to_rgb() } else { pixels })
        }
        Source::File(path) => {
            let bytes = files::read_at_most(path, MOST_FILE_BYTES)
                .map_err(|error| error.cause.unwrap_or(error.message))?;
            decode(&bytes, channels)
        }
    }
}

/// Decodes a PNG, JPEG, WebP, BMP, GIF (first frame) or TIFF and turns it as its EXIF orientation
/// says. Transparent pixels are laid over white.
///
/// # Errors
/// Why it cannot be decoded, in words; also when the decoder panics.
pub fn decode(bytes: &[u8], channels: usize) -> Result<Pixels, String> {
    contained(|| {
        let mut decoder = decoder(bytes)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(|cause| plain(&cause))?;
        image.apply_orientation(orientation);
        Ok(to_pixels(image, channels))
    })
}

/// Runs a decoder so that a panic in it is an error like any other.
fn contained<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err("the decoder gave up on this file".to_owned()))
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
    if decoder.total_bytes() > MOST_MEMORY {
        let (width, height) = decoder.dimensions();
        return Err(format!("{width}x{height} pixels are too many"));
    }
    Ok(decoder)
}

fn plain(cause: &image::ImageError) -> String {
    let text = cause.to_string();
    text.lines().next().unwrap_or("it cannot be decoded").to_owned()
}

/// Height and width, and whether there is colour, from the header alone.
///
/// # Errors
/// Why the header cannot be read.
pub(super) fn header(source: &Source) -> Result<([usize; 2], bool), String> {
    match source {
        Source::Memory(store, _) => Ok(([store.height, store.width], false)),
        Source::File(path) => {
            let bytes = files::read_at_most(path, MOST_FILE_BYTES).map_err(|e| e.to_string())?;
            contained(|| {
                let mut decoder = decoder(&bytes)?;
                let (width, height) = decoder.dimensions();
                let turned = matches!(
                    decoder.orientation(),
                    Ok(Orientation::Rotate90
                        | Orientation::Rotate270
                        | Orientation::Rotate90FlipH
                        | Orientation::Rotate270FlipH)
                );
                let (width, height) = if turned { (height, width) } else { (width, height) };
                Ok(([height as usize, width as usize], decoder.color_type().has_color()))
            })
        }
    }
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
    if channels == 3 {
        return Pixels::new(width, height, 3, data);
    }
    Pixels::new(width, height, 1, data.chunks_exact(3).map(|p| grey([p[0], p[1], p[2]])).collect())
}

fn over_background(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + BACKGROUND * (255 - alpha) + 127) / 255) as u8
}

/// ITU-R 601 luma in PIL's 16-bit fixed point, as its conversion to mode `L`.
fn grey([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}

/// A part of an image: left, top, width and height in pixels, fractions allowed.
pub(super) type Area = [f64; 4];

/// The central part at the network's size: what evaluation and prediction see.
#[must_use]
pub fn prepare(pixels: &Pixels, to: &Preprocessing) -> Pixels {
    let aspect = to.width as f64 / to.height as f64;
    let (width, height) = (pixels.width as f64, pixels.height as f64);
    let box_width = width.min(height * aspect) * to.crop;
    let box_height = height.min(width / aspect) * to.crop;
    let area = [(width - box_width) / 2.0, (height - box_height) / 2.0, box_width, box_height];
    resize(pixels, area, to)
}

/// The whole image, its longer side at most `side` pixels.
#[must_use]
pub fn thumbnail(pixels: &Pixels, side: usize) -> Pixels {
    let scale = (side as f64 / pixels.width.max(pixels.height).max(1) as f64).min(1.0);
    let scaled = |length: usize| ((length as f64 * scale).round() as usize).max(1);
    let to = Preprocessing {
        channels: pixels.channels,
        height: scaled(pixels.height),
        width: scaled(pixels.width),
        crop: 1.0,
        mean: Vec::new(),
        std: Vec::new(),
    };
    resize(pixels, [0.0, 0.0, pixels.width as f64, pixels.height as f64], &to)
}

/// Resizes `area` of an image to the network's size: bilinear, antialiased when shrinking, as
/// PIL's `resize` with a box (a triangle filter whose support grows with the scale).
pub(super) fn resize(pixels: &Pixels, area: Area, to: &Preprocessing) -> Pixels {
    let whole = [0.0, 0.0, pixels.width as f64, pixels.height as f64];
    #[allow(clippy::float_cmp)] // the whole image is exactly the whole image
    if area == whole && [pixels.height, pixels.width] == [to.height, to.width] {
        return pixels.clone();
    }
    let mut data = vec![0; to.height * to.width * pixels.channels];
    let resized = match pixels.channels {
        1 => resize_as::<U8>(pixels, area, to, &mut data),
        _ => resize_as::<U8x3>(pixels, area, to, &mut data),
    };
    // The area lies within the image and all buffers have their sizes: nothing is left to fail.
    debug_assert!(resized.is_some());
    Pixels::new(to.width, to.height, pixels.channels, data)
}

/// For one kind of pixel: the crate's `resize` has code for fifteen, three megabytes of it.
fn resize_as<P: PixelTrait + Default>(
    pixels: &Pixels,
    area: Area,
    to: &Preprocessing,
    data: &mut [u8],
) -> Option<()> {
    let size = |n: usize| u32::try_from(n).ok();
    let (width, height) = (size(pixels.width)?, size(pixels.height)?);
    let source = TypedImageRef::<P>::from_buffer(width, height, &pixels.data).ok()?;
    let mut target = TypedImage::<P>::from_buffer(size(to.width)?, size(to.height)?, data).ok()?;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(area[0], area[1], area[2], area[3]);
    Resizer::new().resize_typed(&source, &mut target, &options).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(height: usize, width: usize, channels: usize) -> Preprocessing {
        Preprocessing {
            channels,
            height,
            width,
            crop: 1.0,
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        }
    }

    #[test]
    fn grey_is_pils_grey() {
        // PIL: Image.new("RGB", (1, 1), c).convert("L").getpixel((0, 0))
        assert_eq!(grey([255, 255, 255]), 255);
        assert_eq!(grey([255, 0, 0]), 76);
        assert_eq!(grey([0, 255, 0]), 150);
        assert_eq!(grey([0, 0, 255]), 29);
        assert_eq!(grey([10, 200, 30]), 124);
    }

    /// PIL 13: `Image.frombytes("L", (8, 1), bytes(range(0, 80, 10)))`, then with
    /// `bytes((i * 37) % 256 for i in range(35))` as 7x5, `.resize(size, BILINEAR, box)`.
    #[test]
    fn resizing_is_pils_bilinear_antialiased() {
        let row = Pixels::new(8, 1, 1, (0..80).step_by(10).collect());
        assert_eq!(resize(&row, [0.0, 0.0, 8.0, 1.0], &to(1, 3, 1)).data, [11, 35, 59]);
        let image = Pixels::new(7, 5, 1, (0..35u32).map(|i| (i * 37 % 256) as u8).collect());
        let whole = [0.0, 0.0, 7.0, 5.0];
        assert_eq!(resize(&image, whole, &to(2, 3, 1)).data, [35, 114, 193, 41, 120, 199]);
        let part = [1.5, 0.5, 4.5, 4.0];
        assert_eq!(resize(&image, part, &to(2, 3, 1)).data, [69, 122, 180, 75, 128, 186]);
        let larger = resize(&image, whole, &to(6, 9, 1)).data;
        assert_eq!(larger[..9], [0, 25, 53, 82, 111, 140, 169, 197, 222]);
        assert_eq!(larger[45..], [12, 37, 65, 94, 123, 152, 181, 209, 234]);
    }

    #[test]
    fn an_image_of_the_right_size_is_untouched_and_others_are_cropped_to_the_aspect() {
        let image = Pixels::new(4, 2, 1, vec![0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(prepare(&image, &to(2, 4, 1)), image);
        assert_eq!(prepare(&image, &to(2, 2, 1)).data, [1, 2, 5, 6]);
    }

    #[test]
    fn what_is_no_image_is_an_error_and_no_panic() {
        assert_eq!(decode(b"", 3).unwrap_err(), "the file is empty");
        assert_eq!(decode(b"hello", 3).unwrap_err(), "not an image of a known type");
        let mut png = Vec::new();
        DynamicImage::new_rgb8(9, 9)
            .write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png)
            .unwrap();
        assert!(decode(&png, 3).is_ok());
        let pixels_end = png.len() - 24; // what follows is not needed for the pixels
        for cut in 0..pixels_end {
            assert!(decode(&png[..cut], 1).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn transparent_pixels_are_laid_over_white() {
        let mut png = Vec::new();
        DynamicImage::new_rgba8(1, 1)
            .write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png)
            .unwrap();
        assert_eq!(decode(&png, 3).unwrap().data, [255; 3]);
        assert_eq!(decode(&png, 1).unwrap().data, [255]);
    }
}
