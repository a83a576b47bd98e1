//! The maximum of each window.

use super::PoolShape;
use super::view::{Band, PixelWindows, Seers, View, for_each_rows};
use crate::Isa;
use crate::parallel::Shared;
use crate::rows::{load, store};
use crate::simd::{Kernel, LANES, Simd};

/// The maximum of each window: `x` `[n, h, w, channels]`, `y` `[n, oh, ow, channels]`.
///
/// `slots`, as long as `y`, become the place `row * kernel + column` of the maximum in its window,
/// which [`max_backward`] needs. The first of equal numbers wins, and NaN over any number, so that
/// a NaN in a window is a NaN in `y` (the last of several is the place), as PyTorch has it.
///
/// # Panics
/// If the shape or a length does not fit, or slots are asked for and the window has more than 254
/// places.
pub fn max_forward(
    isa: Isa,
    shape: &PoolShape,
    x: &[f32],
    y: &mut [f32],
    slots: Option<&mut [u8]>,
) {
    shape.check();
    assert_eq!(x.len(), shape.input_len(), "input");
    assert_eq!(y.len(), shape.output_len(), "output");
    if let Some(slots) = &slots {
        assert!(shape.kernel * shape.kernel <= 254, "window too large for slots: {shape:?}");
        assert_eq!(slots.len(), y.len(), "slots");
    }
    let row_len = shape.output()[1] * shape.channels;
    let slots = slots.map(Shared::new);
    for_each_rows(row_len, y, |first, y| {
        let start = first * row_len;
        // SAFETY: items have no row in common.
        let slots = slots.as_ref().map(|slots| unsafe { slots.part(start..start + y.len()) });
        isa.run(MaxForward { shape, x, first, y, slots });
    });
}

/// Output rows from `first` on, counted over all images.
struct MaxForward<'a> {
    shape: &'a PoolShape,
    /// All images.
    x: &'a [f32],
    first: usize,
    y: &'a mut [f32],
    slots: Option<&'a mut [u8]>,
}

impl MaxForward<'_> {
    /// # Safety
    /// `slots` must point at as many bytes as `y` has floats, where `SLOTS`.
    #[inline(always)]
    unsafe fn rows<S: Simd, const SLOTS: bool>(&mut self, slots: *mut u8) {
        let channels = self.shape.channels;
        let ow = self.shape.output()[1];
        let mut row = 0;
        while row * ow * channels < self.y.len() {
            let band = Band::new(self.shape, self.first + row);
            let mut column = 0;
            while column < ow {
                let view = band.view(column);
                let at = (row * ow + column) * channels;
                let mut c = 0;
                // SAFETY: rows of `y` are whole; each block ends within its pixel.
                unsafe {
                    while c + LANES <= channels {
                        self.block::<S, SLOTS, true>(&view, c, at + c, slots);
                        c += LANES;
                    }
                    if c < channels {
                        self.block::<S, SLOTS, false>(&view, c, at + c, slots);
                    }
                }
                column += 1;
            }
            row += 1;
        }
    }

    /// The maxima of channels from `c` on, sixteen where `ALL`, to float `at` of `y`.
    #[inline(always)]
    unsafe fn block<S: Simd, const SLOTS: bool, const ALL: bool>(
        &mut self,
        view: &View,
        c: usize,
        at: usize,
        slots: *mut u8,
    ) {
        let (channels, kernel) = (self.shape.channels, self.shape.kernel);
        let row_step = self.shape.input[1] * channels;
        let n = channels - c;
        // SAFETY: the view lies in the images, and `at` in `y`.
        unsafe {
            let x = self.x.as_ptr().add(view.first * channels + c);
            let mut best = load::<S, ALL>(x, n);
            let mut slot = S::splat(view.place as f32);
            let mut p = 0;
            while p < view.size[0] {
                let row = x.add(p * row_step);
                let mut q = 0;
                while q < view.size[1] {
                    let x = load::<S, ALL>(row.add(q * channels), n);
                    let larger = S::greater_or_nan(x, best);
                    best = S::select(larger, x, best);
                    if SLOTS {
                        let place = S::splat((view.place + p * kernel + q) as f32);
                        slot = S::select(larger, place, slot);
                    }
                    q += 1;
                }
                p += 1;
            }
            store::<S, ALL>(self.y.as_mut_ptr().add(at), best, n);
            // Bytes beyond the pixel are those of later pixels, which are yet to be written.
            if SLOTS && at + LANES <= self.y.len() {
                S::store_bytes(slots.add(at), slot);
            } else if SLOTS {
                let mut bytes = [0; LANES];
                S::store_bytes(bytes.as_mut_ptr(), slot);
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), slots.add(at), n);
            }
        }
    }
}

impl Kernel for MaxForward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let slots = self.slots.as_mut().map(|slots| slots.as_mut_ptr());
        // SAFETY: `max_forward` has checked the lengths.
        unsafe {
            match slots {
                Some(slots) => self.rows::<S, true>(slots),
                None => self.rows::<S, false>(std::ptr::null_mut()),
            }
        }
    }
}

/// The gradient `dx` `[n, h, w, channels]` of the input, for the gradient `dy`
/// `[n, oh, ow, channels]` of the output and the `slots` that [`max_forward`] gave. Every float of
/// `dx` is written once: the gradients of the windows that took it, added in the windows' order.
///
/// # Panics
/// If the shape or a length does not fit, or the window has more than 254 places.
pub fn max_backward(isa: Isa, shape: &PoolShape, dy: &[f32], slots: &[u8], dx: &mut [f32]) {
    shape.check();
    assert!(shape.kernel * shape.kernel <= 254, "window too large for slots: {shape:?}");
    assert_eq!(dy.len(), shape.output_len(), "gradient of the output");
    assert_eq!(slots.len(), dy.len(), "slots");
    assert_eq!(dx.len(), shape.input_len(), "gradient of the input");
    for_each_rows(shape.input[1] * shape.channels, dx, |first, dx| {
        isa.run(MaxBackward { shape, dy, slots, first, dx });
    });
}

/// Input rows from `first` on, counted over all images.
struct MaxBackward<'a> {
    shape: &'a PoolShape,
    /// All images.
    dy: &'a [f32],
    /// All images.
    slots: &'a [u8],
    first: usize,
    dx: &'a mut [f32],
}

/// What [`gather`] reads, in a copy of its own so that it stays in registers.
#[derive(Clone, Copy)]
struct GradientSource<'a> {
    dy: *const f32,
    slots: &'a [u8],
    channels: usize,
    /// Windows from one row of windows to the next.
    columns: usize,
    /// How much smaller a pixel's place is in the next window below, and to the right.
    places: [usize; 2],
}

/// The gradients of the `n` channels from `c` on, sixteen where `ALL`, of the pixel that `windows`
/// see.
///
/// # Safety
/// The windows must exist, in as many floats at `dy` as there are slots.
#[inline(always)]
unsafe fn gather<S: Simd, const ALL: bool>(
    from: GradientSource,
    windows: &PixelWindows,
    c: usize,
    n: usize,
) -> S::V {
    // SAFETY: the caller's; sixteen slots are read only where there are.
    unsafe {
        let mut sum = S::splat(0.0);
        let mut row = windows.first * from.channels + c;
        let mut row_place = windows.place;
        let mut r = 0;
        while r < windows.size[0] {
            let (mut window, mut place) = (row, row_place);
            let mut q = 0;
            while q < windows.size[1] {
                // Lanes beyond the pixel see whatever follows: their `dy` is zero.
                let mine = if ALL || window + LANES <= from.slots.len() {
                    S::bytes_equal(from.slots.as_ptr().add(window), place as u8)
                } else {
                    last_equal::<S>(&from.slots[window..], place as u8)
                };
                let dy = load::<S, ALL>(from.dy.add(window), n);
                sum = S::add(sum, S::keep(mine, dy));
                window += from.channels;
                place = place.wrapping_sub(from.places[1]);
                q += 1;
            }
            row += from.columns * from.channels;
            row_place = row_place.wrapping_sub(from.places[0]);
            r += 1;
        }
        sum
    }
}

/// Which bytes, of fewer than sixteen, are `byte`.
///
/// # Safety
/// The CPU must have the instructions of `S`.
#[inline(always)]
unsafe fn last_equal<S: Simd>(bytes: &[u8], byte: u8) -> S::M {
    let mut sixteen = [u8::MAX; LANES];
    sixteen[..bytes.len()].copy_from_slice(bytes);
    // SAFETY: sixteen bytes.
    unsafe { S::bytes_equal(sixteen.as_ptr(), byte) }
}

impl Kernel for MaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { shape, dy, slots, first, dx } = self;
        let (channels, w, columns) = (shape.channels, shape.input[1], shape.output()[1]);
        let places = [shape.stride * shape.kernel, shape.stride];
        let from = GradientSource { dy: dy.as_ptr(), slots, channels, columns, places };
        let mut at = 0;
        let mut row = first;
        while at < dx.len() {
            let mut seers = Seers::new(shape, row);
            let mut column = 0;
            while column < w {
                let windows = seers.of_next();
                let mut c = 0;
                // SAFETY: rows of `dx` are whole, and `max_backward` has checked the lengths.
                unsafe {
                    let dx = dx.as_mut_ptr().add(at);
                    while c + LANES <= channels {
                        S::store(dx.add(c), gather::<S, true>(from, &windows, c, LANES));
                        c += LANES;
                    }
                    if c < channels {
                        let n = channels - c;
                        S::store_first(dx.add(c), gather::<S, false>(from, &windows, c, n), n);
                    }
                }
                at += channels;
                column += 1;
            }
            row += 1;
        }
    }
}
