//! Resizing of 8-bit images as PIL's `Image.resize` does it, to the last bit: an antialiasing filter
//! whose support grows with the scale, along the rows, then along the columns, with weights of 22
//! bits after the point and a rounding to 8 bits after each (Pillow 12, `src/libImaging/Resample.c`; version 13
//! turns the passes round where that is less work, which moves a value by 1 at most).

mod filter;
mod kernel;
pub mod reference;
#[cfg(test)]
mod tests;

pub use filter::Filter;

use filter::FilterWindows;
use kernel::{ColumnPass, RowPass};

use crate::Isa;

/// Rows and columns of an image.
pub type Size = [usize; 2];

/// Left, top, width and height in pixels, fractions allowed.
pub type Area = [f64; 4];

/// Memory that a resize works in, kept from one to the next.
#[derive(Debug, Default)]
pub struct ResizeScratch {
    /// Some rows of the source as columns, and what becomes of them.
    turned: [Vec<u8>; 2],
    /// The rows under the area at their new width.
    narrow: Vec<u8>,
}

/// What is resized to what.
#[derive(Clone, Copy, Debug)]
pub struct Resize {
    /// Rows and columns of the source.
    pub from: Size,
    /// The part of it that is seen.
    pub area: Area,
    /// Rows and columns of the result.
    pub to: Size,
    /// Channels of both: 1 or 3.
    pub channels: usize,
    /// How pixels are weighted.
    pub filter: Filter,
}

impl Resize {
    /// Resizes `source`, `[H, W, C]` of `from`, into `target`, `[H, W, C]` of `to`.
    ///
    /// # Panics
    /// If a side is 0, the area is empty or leaves the source, there are other than 1 or 3 channels,
    /// or a length is another than the sizes say.
    pub fn run(&self, isa: Isa, source: &[u8], target: &mut [u8], scratch: &mut ResizeScratch) {
        let channels = self.channels;
        self.check(source.len(), target.len());
        let [left, top, width, height] = self.area;
        #[allow(clippy::float_cmp)] // the whole side is exactly the whole side
        let along = |start, length, from, to| {
            (start != 0.0 || length != from as f64 || to != from)
                .then(|| FilterWindows::new(self.filter, start, length, from, to))
        };
        let rows = along(left, width, self.from[1], self.to[1]);
        let columns = along(top, height, self.from[0], self.to[0]);
        let (wide, narrow) = (self.from[1] * channels, self.to[1] * channels);
        let used = columns.as_ref().map_or(0..self.from[0], FilterWindows::used);
        let seen = &source[used.start * wide..used.end * wide];
        let Some(rows) = rows else {
            return match columns {
                Some(windows) => isa.run(ColumnPass {
                    windows,
                    skip: used.start,
                    source: seen,
                    target,
                    width: narrow,
                }),
                None => target.copy_from_slice(seen),
            };
        };
        let Some(windows) = columns else {
            return isa.run(RowPass {
                windows: &rows,
                channels,
                source: seen,
                target,
                turned: &mut scratch.turned,
            });
        };
        scratch.narrow.resize(used.len() * narrow, 0);
        let ResizeScratch { turned, narrow: between } = scratch;
        isa.run(RowPass { windows: &rows, channels, source: seen, target: between, turned });
        isa.run(ColumnPass { windows, skip: used.start, source: between, target, width: narrow });
    }

    fn check(&self, source: usize, target: usize) {
        let [left, top, width, height] = self.area;
        let [rows, columns] = self.from;
        assert!(matches!(self.channels, 1 | 3), "one channel or three");
        assert!(self.from.iter().chain(&self.to).all(|&side| side > 0), "a side is 0");
        assert!(width > 0.0 && height > 0.0, "the area is empty");
        assert!(left >= 0.0 && top >= 0.0, "the area starts before the image");
        // The sum of two rounded numbers may be off by their last bits; windows end where the image does.
        let beyond = (left + width - columns as f64).max(top + height - rows as f64);
        assert!(beyond < 1e-6, "the area leaves the image");
        assert_eq!(source, rows * columns * self.channels, "length of the source");
        assert_eq!(target, self.to[0] * self.to[1] * self.channels, "length of the target");
    }
}
