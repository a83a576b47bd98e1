//! How the window of an output is cut into tiles whose sums stay in registers.

use std::ops::Range;

use crate::parallel::part;
use crate::simd::{Kernel, Simd};

/// The most rows and steps of sixteen floats in a tile for which there is code.
const MOST: [usize; 2] = [5, 6];

/// A window of `kh` runs, `across` steps of sixteen floats each, cut into nearly equal tiles.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    kh: usize,
    across: usize,
    parts: [usize; 2],
}

/// Rows and steps of sixteen floats of one tile.
pub(super) struct Tile {
    pub rows: Range<usize>,
    pub across: Range<usize>,
}

impl Tiling {
    /// Tiles of at most `sums` steps of sixteen floats.
    pub fn new(kh: usize, across: usize, sums: usize) -> Self {
        let columns = across.div_ceil(MOST[1].min(sums));
        let widest = across.div_ceil(columns);
        let rows = kh.div_ceil((sums / widest).clamp(1, MOST[0]));
        Self { kh, across, parts: [rows, columns] }
    }

    /// How many tiles there are.
    pub fn len(&self) -> usize {
        self.parts[0] * self.parts[1]
    }

    /// The `index`-th of them.
    pub fn tile(&self, index: usize) -> Tile {
        let [rows, columns] = self.parts;
        Tile {
            rows: part(self.kh, rows, index / columns),
            across: part(self.across, columns, index % columns),
        }
    }

    /// Steps of sixteen floats in all tiles before `tile`.
    pub fn before(&self, tile: &Tile) -> usize {
        tile.rows.start * self.across + tile.rows.len() * tile.across.start
    }
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
        match ($tile.rows.len(), $tile.across.len()) {
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
