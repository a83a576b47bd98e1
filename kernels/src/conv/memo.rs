//! Weights that are kept in the form that a kernel wants.

use std::sync::OnceLock;

use crate::parallel::Lines;

/// Where a convolution keeps its weights in the form that it multiplies with, for further calls. With
/// few images making that form takes as long as the convolution. To be given with the same weights,
/// shape (but for the number of images) and instruction set each time.
#[derive(Debug, Default)]
pub struct Memo {
    /// For Winograd's form.
    frequencies: OnceLock<Lines>,
    /// For the direct form.
    packed: OnceLock<Vec<f32>>,
}

impl Memo {
    /// The `len` transformed weights that `make` writes, the first time.
    ///
    /// # Panics
    /// If there were fewer before.
    pub(super) fn frequencies(&self, len: usize, make: impl FnOnce(&mut [f32])) -> &[f32] {
        let lines = self.frequencies.get_or_init(|| {
            let mut lines = Lines::new(len);
            make(lines.floats_mut(len));
            lines
        });
        lines.floats(len)
    }

    /// The packed weights that `make` answers, the first time.
    pub(super) fn packed(&self, make: impl FnOnce() -> Vec<f32>) -> &[f32] {
        self.packed.get_or_init(make)
    }
}

/// What `make` answers, kept in `memo` if there is one; else in `here`.
pub(super) fn packed<'a>(
    memo: Option<&'a Memo>,
    here: &'a mut Vec<f32>,
    make: impl FnOnce() -> Vec<f32>,
) -> &'a [f32] {
    match memo {
        Some(memo) => memo.packed(make),
        None => {
            *here = make();
            here
        }
    }
}
