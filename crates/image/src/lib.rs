//! Images: pixels, decoding, resizing, augmentation, and how a picture becomes a network's input.
//!
//! Decoding of files needs the feature `decode`; everything else is plain Rust.
#![warn(missing_docs)]

pub mod augment;
mod augmentation;
#[cfg(feature = "decode")]
pub mod decode;
mod decode_size;
mod input;
#[cfg(feature = "decode")]
mod jpeg;
mod pixels;
mod preprocessing;
mod resize;

pub use augmentation::{Augment, Augmentation, Changes, Policy};
#[cfg(feature = "decode")]
pub use decode::{IMAGE_EXTENSIONS, decode, read_file};
pub use decode_size::DecodeSize;
pub use input::{normalise, to_input, to_pixels};
pub use pixels::{Area, Filter, Pixels, grey};
pub use preprocessing::Preprocessing;
pub use resize::{prepare, thumbnail};
