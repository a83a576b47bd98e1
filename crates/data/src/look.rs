//! What the images of a data set look like.

use serde::Serialize;
use tinderbox_base::draw::{Purpose, permutation};

use crate::dataset::{Dataset, Split};
use crate::load::header;

/// What the images of a data set look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    /// Height and width, where all images have the same.
    pub size: Option<[usize; 2]>,
    /// Whether any of them is in colour.
    pub color: bool,
}

/// How many images are looked at to learn their size and colour.
const LOOKED_AT: usize = 64;

/// Size and colour, from the headers of at most 64 training images.
#[must_use]
pub fn look(dataset: &Dataset) -> Look {
    let samples = dataset.split(Split::Train);
    let order = permutation(0, 0, samples.len(), Purpose::Pick);
    let mut headers =
        order.iter().take(LOOKED_AT).filter_map(|&i| header(&samples[i as usize]).ok());
    let Some((first, mut color)) = headers.next() else {
        return Look { size: None, color: true };
    };
    let mut size = Some(first);
    for (other, colored) in headers {
        color |= colored;
        size = size.filter(|&size| size == other);
    }
    Look { size, color }
}
