//! Where the numbers of a tile stand between the steps.

use std::marker::PhantomData;

use crate::simd::LANES;

/// Frequencies: the numbers per channel that a tile is transformed into.
pub(super) const FREQUENCIES: usize = 36;

/// One matrix `[rows, channels]` per frequency, as `[36][group][rows][16 * panels of the group]`.
/// A panel is sixteen channels, the last one padded; a group is what one register tile covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) rows: usize,
    panels: usize,
    /// Panels of every group but the last, which may have fewer.
    group: usize,
    /// Floats from a frequency to the next.
    pub(super) stride: usize,
}

impl Layout {
    /// Groups of `group` panels.
    pub(super) fn grouped(rows: usize, channels: usize, group: usize) -> Self {
        let panels = channels.div_ceil(LANES);
        // An odd number of cache lines: the 36 places that a transform writes to then lie in
        // different sets of the cache.
        Self { rows, panels, group, stride: ((rows * panels) | 1) * LANES }
    }

    /// A single group: rows are contiguous.
    pub(super) fn plain(rows: usize, channels: usize) -> Self {
        Self::grouped(rows, channels, channels.div_ceil(LANES))
    }

    /// Floats that a buffer needs, including a line behind the last row: the product of matrices
    /// reads a few floats beyond a row where the channels are no multiple of its tile.
    pub(super) fn floats(&self) -> usize {
        FREQUENCIES * self.stride + LANES
    }

    pub(super) fn panels(&self) -> usize {
        self.panels
    }

    pub(super) fn groups(&self) -> usize {
        self.panels.div_ceil(self.group)
    }

    /// Panels of a group.
    pub(super) fn width(&self, group: usize) -> usize {
        self.group.min(self.panels - group * self.group)
    }

    /// Where the first row of a group is.
    pub(super) fn start(&self, frequency: usize, group: usize) -> usize {
        frequency * self.stride + group * self.group * self.rows * LANES
    }

    /// Where a row of a panel is, at frequency 0.
    #[inline(always)]
    pub(super) fn place(&self, panel: usize, row: usize) -> usize {
        let group = panel / self.group;
        let first = group * self.group;
        (first * self.rows + row * self.width(group) + panel - first) * LANES
    }
}

/// A buffer in a [`Layout`] that several threads write to, each to rows or groups of its own.
#[derive(Clone, Copy)]
pub(super) struct Matrices<'a> {
    start: *mut f32,
    pub(super) layout: Layout,
    buffer: PhantomData<&'a mut [f32]>,
}

// SAFETY: the buffer is borrowed for 'a, exclusively or without being written to, and whoever writes
// through the pointer promises that no other thread touches the same floats.
unsafe impl Send for Matrices<'_> {}
// SAFETY: as for `Send`.
unsafe impl Sync for Matrices<'_> {}

impl<'a> Matrices<'a> {
    /// # Panics
    /// If the buffer is too short for the layout.
    pub(super) fn new(buffer: &'a mut [f32], layout: Layout) -> Self {
        assert!(buffer.len() >= layout.floats(), "{} floats for {layout:?}", buffer.len());
        Self { start: buffer.as_mut_ptr(), layout, buffer: PhantomData }
    }

    /// The same for matrices that nobody writes to.
    ///
    /// # Panics
    /// As `new`.
    pub(super) fn read_only(buffer: &'a [f32], layout: Layout) -> Self {
        assert!(buffer.len() >= layout.floats(), "{} floats for {layout:?}", buffer.len());
        Self { start: buffer.as_ptr().cast_mut(), layout, buffer: PhantomData }
    }

    /// The pointer to a row of a panel, at frequency 0; the other frequencies follow at
    /// `layout.stride`, all inside the buffer.
    #[inline(always)]
    pub(super) fn row(&self, panel: usize, row: usize) -> *mut f32 {
        debug_assert!(panel < self.layout.panels && row < self.layout.rows);
        self.start.wrapping_add(self.layout.place(panel, row))
    }

    /// The pointer to the first row of a group.
    #[inline(always)]
    pub(super) fn group(&self, frequency: usize, group: usize) -> *mut f32 {
        debug_assert!(frequency < FREQUENCIES && group < self.layout.groups());
        self.start.wrapping_add(self.layout.start(frequency, group))
    }
}
