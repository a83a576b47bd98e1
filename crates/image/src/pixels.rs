//! A decoded picture.

use std::cell::RefCell;

use tinderbox_kernels::Isa;
pub use tinderbox_kernels::resize::{Area, Filter};
use tinderbox_kernels::resize::{Resize, ResizeScratch};

/// Pixels of one picture, `[H, W, C]`, 8 bits a channel, rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// `height * width * channels` bytes.
    pub data: Vec<u8>,
}

impl Pixels {
    /// A picture over `data`, which holds `height * width * channels` bytes.
    ///
    /// # Panics
    /// If the length of `data` is another one: a mistake of the caller, never of a file.
    #[must_use]
    pub fn new(width: usize, height: usize, channels: usize, data: Vec<u8>) -> Self {
        assert_eq!(data.len(), width * height * channels, "pixels: wrong length");
        Self { width, height, channels, data }
    }

    /// All of it, as an area: left, top, width and height.
    #[must_use]
    pub fn whole(&self) -> Area {
        [0.0, 0.0, self.width as f64, self.height as f64]
    }

    /// `area` of the picture, which lies within it, at `[H, W]`: antialiased when shrinking, as
    /// PIL's `resize` with a box.
    #[must_use]
    pub fn resized(&self, area: Area, to: [usize; 2], filter: Filter) -> Self {
        thread_local! {
            static SCRATCH: RefCell<ResizeScratch> = RefCell::default();
        }
        let (from, channels) = ([self.height, self.width], self.channels);
        let mut data = vec![0; to[0] * to[1] * channels];
        let how = Resize { from, area, to, channels, filter };
        SCRATCH.with_borrow_mut(|scratch| how.run(Isa::best(), &self.data, &mut data, scratch));
        Self::new(to[1], to[0], channels, data)
    }

    /// The same picture with 1 or 3 channels.
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        let data = match (self.channels, channels) {
            (1, 3) => self.data.iter().flat_map(|&grey| [grey; 3]).collect(),
            (3, 1) => self.data.chunks_exact(3).map(|p| grey([p[0], p[1], p[2]])).collect(),
            _ => return self,
        };
        Self::new(self.width, self.height, channels, data)
    }
}

/// ITU-R 601 luma in PIL's 16-bit fixed point, as its conversion to mode `L`.
#[must_use]
pub fn grey([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_is_pils_grey() {
        // PIL: Image.new("RGB", (1, 1), c).convert("L").getpixel((0, 0))
        assert_eq!(grey([255, 255, 255]), 255);
        assert_eq!(grey([255, 0, 0]), 76);
        assert_eq!(grey([0, 255, 0]), 150);
        assert_eq!(grey([0, 0, 255]), 29);
        assert_eq!(grey([10, 200, 30]), 124);
    }
}
