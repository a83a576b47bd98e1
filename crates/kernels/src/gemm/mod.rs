//! The two matrix products that convolutions and dense layers are made of, one register tile at a
//! time. Both multiply six values of one side with up to four panels of sixteen of the other and
//! keep the 6 x 64 sums in registers.
//!
//! * [`tile`]: rows of an image times packed weights, the reduction along the row.
//! * [`outer`]: pixels times gradients, the reduction along the pixels.

pub(crate) mod outer;
pub(crate) mod tile;

use crate::simd::{LANES, Simd};

/// Rows of a register tile: with four panels, 24 sums, 4 weights and a broadcast value fill the 32
/// registers of AVX-512; with one panel of two halves, 12 sums, 2 and 2 those of AVX2.
pub(crate) const ROWS: usize = 6;

/// Panels of sixteen that `columns` fill, the last one partly.
pub(crate) fn panels(columns: usize) -> usize {
    columns.div_ceil(LANES)
}

/// Work on a few panels, whose number is a constant: so their sums stay in registers.
pub(crate) trait OnPanels {
    /// Works on `P` panels from panel `first` on.
    ///
    /// # Safety
    /// The CPU must have `S`. Implementations state what else they rely on.
    unsafe fn run<S: Simd, const P: usize>(&self, first: usize);
}

/// Runs `work` on all panels, in groups of at most `S::PANELS`.
///
/// # Safety
/// As for [`OnPanels::run`].
#[inline(always)]
pub(crate) unsafe fn on_all<S: Simd>(panels: usize, work: &impl OnPanels) {
    let groups = panels.div_ceil(S::PANELS);
    let mut group = 0;
    while group < groups {
        let (first, count) = panel_group(panels, S::PANELS, group);
        // SAFETY: the caller's.
        unsafe { on_group::<S>(first, count, work) };
        group += 1;
    }
}

/// Runs `work` on `count` panels from panel `first` on.
///
/// # Panics
/// If there are none, or more than `S::PANELS`.
///
/// # Safety
/// As for [`OnPanels::run`].
#[inline(always)]
pub(crate) unsafe fn on_group<S: Simd>(first: usize, count: usize, work: &impl OnPanels) {
    const { assert!(S::PANELS >= 1 && S::PANELS <= 4, "there is code for up to four panels") };
    // SAFETY: the caller's.
    unsafe {
        match count {
            // `S::PANELS` is a constant, so that only the forms that fit are compiled.
            1 => work.run::<S, 1>(first),
            2 if S::PANELS >= 2 => work.run::<S, 2>(first),
            3 if S::PANELS >= 3 => work.run::<S, 3>(first),
            4 if S::PANELS >= 4 => work.run::<S, 4>(first),
            _ => no_group(count, S::PANELS),
        }
    }
}

#[cold]
#[inline(never)]
fn no_group(count: usize, most: usize) -> ! {
    unreachable!("{count} panels, where registers hold the sums of 1 to {most}");
}

/// The first panel and the count of panels of group `index`, where `panels` are dealt evenly to as
/// few groups as possible of at most `most`.
pub(crate) fn panel_group(panels: usize, most: usize, index: usize) -> (usize, usize) {
    let groups = panels.div_ceil(most);
    let range = crate::parallel::part(panels, groups, index);
    (range.start, range.len())
}
