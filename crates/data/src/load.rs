//! The pixels of a sample, wherever they are.

use tinderbox_base::units;
use tinderbox_image::decode::{self, MOST_FILE_BYTES, decode, read_file};
use tinderbox_image::{DecodeSize, Pixels};

use crate::dataset::{Sample, Source};

/// Pixels of a sample.
///
/// # Errors
/// Why it cannot be decoded, in words.
pub fn load(sample: &Sample, want: DecodeSize) -> Result<Pixels, String> {
    match &sample.source {
        Source::Memory(store, index) => Ok(store.pixels(*index, want.channels)),
        _ => decode(&read(sample)?, want),
    }
}

/// The bytes of a sample's image file.
pub fn read(sample: &Sample) -> Result<Vec<u8>, String> {
    match &sample.source {
        Source::Below(_) | Source::File(_) => read_file(&sample.path().unwrap_or_default()),
        Source::Part(archive, offset, len) if *len <= MOST_FILE_BYTES => {
            archive.read(*offset, *len as usize)
        }
        Source::Part(_, _, len) => Err(format!("{} are too many", units::bytes(*len))),
        Source::Memory(..) => Ok(Vec::new()), // it has no file
    }
}

/// Height and width of a sample's image, and whether there is colour, from its header alone.
///
/// # Errors
/// Why the header cannot be read.
pub fn header(sample: &Sample) -> Result<([usize; 2], bool), String> {
    if let Source::Memory(store, _) = &sample.source {
        return Ok(([store.height, store.width], store.channels == 3));
    }
    decode::header(&read(sample)?)
}
