//! How the window of an output is cut into tiles whose sums stay in registers.

use crate::parallel::part;
use crate::simd::{Kernel, LANES, Simd};

/// The most rows and steps of sixteen floats in a tile for which there is code.
const MOST: [usize; 2] = [5, 6];

/// A part of a window: some rows, and some steps of sixteen floats of each.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// The first row and step.
    pub start: [usize; 2],
    /// How many rows and steps.
    pub len: [usize; 2],
    /// Steps in all tiles before this one.
    pub before: usize,
}

impl Tile {
    /// Where the tile starts in a window whose rows are `row` floats apart.
    #[inline(always)]
    pub fn offset(&self, row: usize) -> usize {
        self.start[0] * row + self.start[1] * LANES
    }
}

/// Cuts a window of `kh` runs, of `across` steps of sixteen floats each, into nearly equal tiles of
/// at most `sums` steps.
pub(super) fn tiles(kh: usize, across: usize, sums: usize) -> Vec<Tile> {
    let columns = across.div_ceil(MOST[1].min(sums));
    let widest = across.div_ceil(columns);
    let rows = kh.div_ceil((sums / widest).clamp(1, MOST[0]));
    let mut tiles = Vec::with_capacity(rows * columns);
    let mut before = 0;
    for rows in (0..rows).map(|index| part(kh, rows, index)) {
        for steps in (0..columns).map(|index| part(across, columns, index)) {
            let len = [rows.len(), steps.len()];
            tiles.push(Tile { start: [rows.start, steps.start], len, before });
            before += len[0] * len[1];
        }
    }
    tiles
}

/// Answers how many sums of sixteen floats the registers hold, beside what goes into them.
pub(super) struct Sums;

impl Kernel for Sums {
    type Output = usize;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> usize {
        sums::<S>()
    }
}

/// How many sums of sixteen floats the registers hold.
#[inline(always)]
pub(super) const fn sums<S: Simd>() -> usize {
    6 * S::PANELS
}

/// Calls `$f::<$S, rows, across>` with the sizes of a tile as constants.
macro_rules! by_tile {
    ($tile:expr, $f:ident::<$S:ident> $arguments:tt) => {
        $crate::conv::pooled::tiles::by_tile!(@ $tile, $S, $f $arguments
            (1 1) (1 2) (1 3) (1 4) (1 5) (1 6) (2 1) (2 2) (2 3) (2 4) (2 5) (2 6)
            (3 1) (3 2) (3 3) (3 4) (3 5) (3 6) (4 1) (4 2) (4 3) (4 4) (4 5) (4 6)
            (5 1) (5 2) (5 3) (5 4) (5 5) (5 6))
    };
    (@ $tile:expr, $S:ident, $f:ident $arguments:tt $(($r:tt $c:tt))*) => {
        match ($tile.len[0], $tile.len[1]) {
            // A tile never has more sums than registers; so the other forms are not compiled.
            $(($r, $c) if $r * $c <= $crate::conv::pooled::tiles::sums::<$S>() => {
                $crate::conv::pooled::tiles::by_tile!(@call $f, $S, $r, $c, $arguments);
            })*
            other => unreachable!("no code for a tile of {other:?}"),
        }
    };
    (@call $f:ident, $S:ident, $r:tt, $c:tt, ($($argument:expr),*)) => {
        $f::<$S, $r, $c>($($argument),*)
    };
}
pub(super) use by_tile;
