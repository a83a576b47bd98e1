//! Samples that do not decode: named once each, and the end of the training when they are too many.

use std::collections::BTreeSet;

use crate::base::units::{list, percent};
use crate::base::{Error, Result};
use crate::data::{BadSample, Split};
use crate::events::{Event, Reporter};

/// The bad samples seen so far.
#[derive(Clone, Debug)]
pub struct BadWatch {
    seen: BTreeSet<(Split, u32)>,
    names: Vec<String>,
    share: f64,
    images: usize,
}

impl BadWatch {
    /// Allows `share` of `images` to be bad.
    #[must_use]
    pub fn new(share: f64, images: usize) -> Self {
        Self { seen: BTreeSet::new(), names: Vec::new(), share, images }
    }

    /// More images will be looked at.
    pub fn add_images(&mut self, images: usize) {
        self.images += images;
    }

    /// Reports those of `bad` that were not seen before.
    ///
    /// # Errors
    /// If there are now too many, or the log cannot be written.
    pub fn see(&mut self, split: Split, bad: Vec<BadSample>, out: &mut Reporter) -> Result<()> {
        for BadSample { index, key, reason } in bad {
            if self.seen.insert((split, index)) {
                self.names.push(key.clone());
                out.event(&Event::SampleQuarantined { split: split.name(), path: key, reason })?;
            }
        }
        if self.seen.len() as f64 <= self.images as f64 * self.share {
            return Ok(());
        }
        Err(Error::input(format!("more than {} of the images cannot be read", percent(self.share)))
            .cause(format!("so far {}", list(&self.names, 3)))
            .hint("repair or remove the files, or allow more with `--max-bad`"))
    }
}
