//! Weights that are kept in the form that a kernel wants.

use std::sync::OnceLock;

use crate::parallel::Lines;

/// Where a convolution keeps its weights in the form that it multiplies with, for further calls:
/// with few images making that form takes as long as the convolution. To be given with the same
/// weights, shape (but for the number of images) and instruction set each time.
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
        let lines = kept(&self.frequencies, || {
            let mut lines = Lines::new(len);
            make(lines.floats_mut(len));
            lines
        });
        lines.floats(len)
    }

    /// The packed weights that `make` answers, the first time.
    pub(super) fn packed(&self, make: impl FnOnce() -> Vec<f32>) -> &[f32] {
        kept::<Vec<f32>>(&self.packed, make)
    }
}

/// What the cell holds, or holds from now on. `make` runs outside of the cell: it may wait for other
/// threads, and those for the cell.
fn kept<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    if let Some(kept) = cell.get() {
        return kept;
    }
    let made = make();
    cell.get_or_init(|| made)
}

/// What `make` answers, kept in `memo` if there is one; else in `here`.
pub(super) fn packed<'a>(
    memo: Option<&'a Memo>,
    here: &'a mut Vec<f32>,
    make: impl FnOnce() -> Vec<f32>,
) -> &'a [f32] {
    if let Some(memo) = memo {
        return memo.packed(make);
    }
    *here = make();
    here
}
