//! A decoded picture.

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

    /// The same picture with three channels.
    #[must_use]
    pub fn to_rgb(&self) -> Self {
        if self.channels == 3 {
            return self.clone();
        }
        let data = self.data.iter().flat_map(|&grey| [grey; 3]).collect();
        Self::new(self.width, self.height, 3, data)
    }
}
