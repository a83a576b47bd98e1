//! Samples that do not decode: named once each, and the end of the training when they are too many.

use std::collections::BTreeSet;

use tinderbox_base::units::{list, percent};
use tinderbox_base::{Error, Event, Events, Result};
use tinderbox_data::{BadSample, Split};

use crate::state::Bad;

/// How many samples may be bad.
#[derive(Clone, Copy, Debug)]
pub struct BadWatch {
    share: f64,
    images: usize,
}

impl BadWatch {
    /// Allows `share` of `images` to be bad.
    #[must_use]
    pub fn new(share: f64, images: usize) -> Self {
        Self { share, images }
    }

    /// Adds those of `bad` that were not `seen` before, and reports them.
    ///
    /// # Errors
    /// If there are now too many, or the log cannot be written.
    pub fn see(
        self,
        split: Split,
        bad: Vec<BadSample>,
        seen: &mut BTreeSet<Bad>,
        out: &mut impl Events,
    ) -> Result<()> {
        for BadSample { index, key, reason } in bad {
            if seen.insert(Bad { split, index, path: key.clone() }) {
                out.event(&Event::SampleQuarantined { split: split.name(), path: key, reason })?;
            }
        }
        if seen.len() as f64 <= self.images as f64 * self.share {
            return Ok(());
        }
        let names: Vec<&str> = seen.iter().map(|bad| bad.path.as_str()).collect();
        Err(Error::input(format!("more than {} of the images cannot be read", percent(self.share)))
            .cause(format!("so far {}", list(&names, 3)))
            .hint("allow more with `--max-bad`, or start a new run without the files, or with whole ones"))
    }
}
