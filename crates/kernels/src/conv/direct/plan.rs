//! How a convolution, or a phase of its backward pass, is cut into items of work.
//!
//! An item is a band of rows of one image, or a few whole small images. Its windows are read in
//! place; where the convolution is padded or grouped, the part of the image that they touch is
//! first copied to scratch memory with its zeros, once for all columns of the result.

use crate::gemm::tile::{Row, Run, cut};

/// Windows of an item: enough to spread the cost of reading weights over, few enough for the
/// caches.
const WINDOWS: usize = 192;
/// Items come in multiples of this.
const EVEN: usize = 4;

/// A product of windows with weights, wherever the windows lie.
#[derive(Clone, Debug)]
pub(crate) struct ConvWindows {
    /// Images.
    pub n: usize,
    /// Rows, columns and channels of the images that are read.
    pub source: [usize; 3],
    /// The channels that are read: the first, and how many.
    pub channels: [usize; 2],
    /// The taps of a window in the order of the packed weights: row and column from its corner.
    pub taps: Vec<[usize; 2]>,
    /// Rows and columns that the taps span.
    pub reach: [usize; 2],
    /// Windows along rows and columns.
    pub grid: [usize; 2],
    /// The source row and column of the first window's corner; negative in the padding.
    pub origin: [isize; 2],
    /// Source rows and columns from one window to the next.
    pub step: [usize; 2],
    /// Rows, columns and channels of the images that are written.
    pub target: [usize; 3],
    /// The row, column and channel that the first window writes to.
    pub target_origin: [usize; 3],
    /// Target rows and columns from one window to the next.
    pub target_step: [usize; 2],
    /// Channels that are written.
    pub columns: usize,
}

/// The items of work, and what all of them share.
#[derive(Debug)]
pub(crate) struct DirectPlan {
    pub windows: ConvWindows,
    /// Images of an item; 1 where an image has several bands.
    images: usize,
    /// Bands of an image, and the rows of windows in each but the last.
    bands: usize,
    band_rows: usize,
    /// Rows and columns of an image in scratch memory, where it is copied.
    copy: Option<[usize; 2]>,
    /// Each window of a full item; an item at the edge takes the first ones.
    pub rows: Vec<Row>,
    pub runs: Vec<Run>,
}

/// One item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub first_image: usize,
    pub images: usize,
    /// The first row of windows.
    pub first_row: usize,
    pub band_rows: usize,
}

/// Whole images of an item, out of `n` with so many windows each: as many items as are needed, and
/// then some, so that a few threads have the same number.
fn images_of_an_item(n: usize, windows: usize) -> usize {
    let n = n.max(1);
    let most = (WINDOWS / windows.max(1)).clamp(1, n);
    n.div_ceil(n.div_ceil(most).next_multiple_of(EVEN))
}

impl DirectPlan {
    /// Cuts the work. Bands hold a multiple of `unit` rows of windows.
    pub(crate) fn new(windows: ConvWindows, unit: usize) -> Self {
        let [rows, columns] = windows.grid;
        let wanted = WINDOWS.div_ceil(columns.max(1) * unit).max(1) * unit;
        let (images, bands, band_rows) = if rows <= wanted {
            (images_of_an_item(windows.n, rows * columns), 1, rows)
        } else {
            let bands = rows.div_ceil(wanted);
            (1, bands, rows.div_ceil(bands * unit) * unit)
        };
        let bands = if bands == 1 { 1 } else { rows.div_ceil(band_rows) };
        let grouped = windows.channels[1] != windows.source[2];
        let padded = (0..2).any(|axis| {
            let end = windows.origin[axis]
                + ((windows.grid[axis].max(1) - 1) * windows.step[axis] + windows.reach[axis])
                    as isize;
            windows.origin[axis] < 0 || end > windows.source[axis] as isize
        });
        let copy = (grouped || padded).then(|| {
            [(0, band_rows), (1, columns)]
                .map(|(axis, count)| (count.max(1) - 1) * windows.step[axis] + windows.reach[axis])
        });
        let mut plan =
            Self { windows, images, bands, band_rows, copy, rows: Vec::new(), runs: Vec::new() };
        plan.rows = plan.all_rows();
        plan.runs = plan.all_runs();
        plan
    }

    /// Rows, columns and channels of an image where its windows are read.
    pub(crate) fn place(&self) -> [usize; 3] {
        match self.copy {
            Some([rows, columns]) => [rows, columns, self.windows.channels[1]],
            None => self.windows.source,
        }
    }

    fn all_rows(&self) -> Vec<Row> {
        let (w, [height, width, channels]) = (&self.windows, self.place());
        let mut rows = Vec::with_capacity(self.images * self.band_rows * w.grid[1]);
        for image in 0..self.images {
            for row in 0..self.band_rows {
                for column in 0..w.grid[1] {
                    let y = image * height + row * w.step[0];
                    let to = image * w.target[0] + row * w.target_step[0];
                    rows.push(Row {
                        from: (y * width + column * w.step[1]) * channels,
                        to: (to * w.target[1] + column * w.target_step[1]) * w.target[2],
                    });
                }
            }
        }
        rows
    }

    /// The taps as runs: neighbours in a row of the image are one.
    fn all_runs(&self) -> Vec<Run> {
        let [_, width, channels] = self.place();
        let len = self.windows.channels[1];
        let mut runs: Vec<Run> = Vec::new();
        for [row, column] in &self.windows.taps {
            let offset = (row * width + column) * channels;
            match runs.last_mut() {
                Some(run) if run.offset + run.len == offset => run.len += len,
                _ => runs.push(Run { offset, len }),
            }
        }
        cut(runs)
    }

    /// The place of every tap and channel of a window, from its corner.
    pub(crate) fn taps(&self) -> Vec<usize> {
        self.runs.iter().flat_map(|run| run.offset..run.offset + run.len).collect()
    }

    /// How many items there are.
    pub(crate) fn items(&self) -> usize {
        if self.windows.grid[0] * self.windows.grid[1] == 0 {
            return 0;
        }
        self.windows.n.div_ceil(self.images) * self.bands
    }

    /// The item of a number.
    pub(crate) fn item(&self, index: usize) -> Item {
        let first_image = index / self.bands * self.images;
        let first_row = index % self.bands * self.band_rows;
        Item {
            first_image,
            images: self.images.min(self.windows.n - first_image),
            first_row,
            band_rows: self.band_rows.min(self.windows.grid[0] - first_row),
        }
    }

    /// The windows of an item.
    pub(crate) fn rows_of(&self, item: &Item) -> &[Row] {
        &self.rows[..item.images * item.band_rows * self.windows.grid[1]]
    }

    /// Floats of scratch memory that [`DirectPlan::source`] needs.
    pub(crate) fn scratch_len(&self) -> usize {
        self.copy.map_or(0, |[h, w]| self.images * h * w * self.windows.channels[1])
    }

    /// The part of `x` that the item's windows lie in; its first float is that of the first window.
    /// Where copies are needed it is a part of `scratch`.
    pub(crate) fn source<'a>(
        &self,
        item: &Item,
        x: &'a [f32],
        scratch: &'a mut [f32],
    ) -> &'a [f32] {
        let w = &self.windows;
        let [h, width, c] = w.source;
        let top = w.origin[0] + (item.first_row * w.step[0]) as isize;
        let Some([rows, columns]) = self.copy else {
            let image = item.first_image * h + top as usize;
            return &x[(image * width + w.origin[1] as usize) * c..];
        };
        let [first_channel, channels] = w.channels;
        for image in 0..item.images {
            for row in 0..rows {
                let to = (image * rows + row) * columns * channels;
                let to = &mut scratch[to..][..columns * channels];
                match usize::try_from(top + row as isize) {
                    Ok(y) if y < h => {
                        let from = ((item.first_image + image) * h + y) * width * c;
                        let from = &x[from..][..width * c];
                        copy_row(from, c, first_channel, to, channels, w.origin[1]);
                    }
                    _ => to.fill(0.0),
                }
            }
        }
        scratch
    }

    /// The place of the item's first result, in floats from the start of the target.
    pub(crate) fn target(&self, item: &Item) -> usize {
        let w = &self.windows;
        let row =
            item.first_image * w.target[0] + w.target_origin[0] + item.first_row * w.target_step[0];
        (row * w.target[1] + w.target_origin[1]) * w.target[2] + w.target_origin[2]
    }

    /// Checks that no window is read outside `source` floats, or written outside `target`.
    pub(crate) fn check(&self, source: usize, target: usize) {
        let w = &self.windows;
        assert_eq!(source, w.n * w.source.iter().product::<usize>(), "length of the input");
        assert_eq!(target, w.n * w.target.iter().product::<usize>(), "length of the output");
        for axis in 0..2 {
            let steps = w.grid[axis].max(1) - 1;
            let last = w.target_origin[axis] + steps * w.target_step[axis];
            assert!(w.grid[axis] == 0 || last < w.target[axis], "windows outside the output");
        }
        assert!(w.taps.iter().all(|t| t[0] < w.reach[0] && t[1] < w.reach[1]), "taps");
        assert!(w.channels[0] + w.channels[1] <= w.source[2], "channels read");
        assert!(w.target_origin[2] + w.columns <= w.target[2], "channels written");
    }
}

/// Copies columns `origin..` of an image row, some channels of each; zeros outside the image.
fn copy_row(
    from: &[f32],
    stride: usize,
    first_channel: usize,
    to: &mut [f32],
    channels: usize,
    origin: isize,
) {
    let (width, columns) = ((from.len() / stride) as isize, (to.len() / channels) as isize);
    // Columns of `to` that lie in the image.
    let start = (-origin).clamp(0, columns) as usize;
    let end = (width - origin).clamp(start as isize, columns) as usize;
    to[..start * channels].fill(0.0);
    to[end * channels..].fill(0.0);
    let to = &mut to[start * channels..end * channels];
    let from = &from[((start as isize + origin).max(0) as usize * stride).min(from.len())..];
    if channels == stride {
        to.copy_from_slice(&from[..to.len()]);
    } else {
        for (to, from) in to.chunks_exact_mut(channels).zip(from.chunks_exact(stride)) {
            to.copy_from_slice(&from[first_channel..first_channel + channels]);
        }
    }
}
