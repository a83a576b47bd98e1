//! The two matrix products that convolutions and dense layers are made of, one register tile at a
//! time. Both multiply six values of one side with up to four panels of sixteen of the other and
//! keep the 6 x 64 sums in registers.
//!
//! * [`tile`]: rows of an image times packed weights, the reduction along the row.
//! * [`outer`]: pixels times gradients, the reduction along the pixels.

pub(crate) mod outer;
pub(crate) mod tile;

use crate::simd::LANES;

/// Rows of a register tile: with four panels, 24 sums, 4 weights and a broadcast value fill the 32
/// registers of AVX-512; with one panel of two halves, 12 sums, 2 and 2 those of AVX2.
pub(crate) const ROWS: usize = 6;

/// Panels of sixteen that `columns` fill, the last one partly.
pub(crate) fn panels(columns: usize) -> usize {
    columns.div_ceil(LANES)
}

/// The first panel and the count of panels of group `index`, where `panels` are dealt evenly to as
/// few groups as possible of at most `most`.
pub(crate) fn panel_group(panels: usize, most: usize, index: usize) -> (usize, usize) {
    let groups = panels.div_ceil(most);
    let range = crate::parallel::part(panels, groups, index);
    (range.start, range.len())
}
