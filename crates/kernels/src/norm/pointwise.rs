//! Work on each float by itself: scale and shift, bias, residual sum, activation and its mask.

use crate::Isa;
use crate::conv::Activation;
use crate::parallel::{Shared, for_each};
use crate::rows::{Rows, for_each_part, load, store};
use crate::simd::{Kernel, LANES, Simd};

/// What [`apply`] works on.
#[derive(Clone, Copy)]
pub struct Apply<'a> {
    /// `[R, C]`
    pub x: &'a [f32],
    /// `[C]`
    pub scale: &'a [f32],
    /// `[C]`
    pub shift: &'a [f32],
    /// What is added before the activation, `[R, C]`.
    pub add: Option<&'a [f32]>,
    /// What is done last.
    pub activation: Activation,
}

/// `y = activation(x * scale + shift + add)`, `[R, C]`, in one pass.
///
/// # Panics
/// If there is no channel, or a length does not fit.
pub fn apply(isa: Isa, args: Apply, y: &mut [f32]) {
    let matrix = Rows::new(args.x.len(), args.scale.len());
    assert_eq!(args.shift.len(), matrix.channels, "shifts");
    assert_eq!(y.len(), args.x.len(), "output");
    assert!(args.add.is_none_or(|add| add.len() == y.len()), "addend");
    let y = Shared::new(y);
    matrix.for_each_backwards(|i| {
        let range = matrix.chunk(i);
        let part = Apply {
            x: &args.x[range.clone()],
            add: args.add.map(|add| &add[range.clone()]),
            ..args
        };
        // SAFETY: chunks have no float in common.
        let y = unsafe { y.part(range) };
        isa.run(ApplyRows { args: part, y });
    });
}

/// Something that is added on the way, or nothing: a type for each, so that loops over floats have
/// no branch.
trait Addend: Copy {
    /// `v` and the sixteen floats from `at` on, or the first `n` of them.
    ///
    /// # Safety
    /// As [`load`].
    unsafe fn add_to<S: Simd, const ALL: bool>(self, v: S::V, at: usize, n: usize) -> S::V;
}

#[derive(Clone, Copy)]
struct Nothing;

impl Addend for Nothing {
    #[inline(always)]
    unsafe fn add_to<S: Simd, const ALL: bool>(self, v: S::V, _: usize, _: usize) -> S::V {
        v
    }
}

impl Addend for &[f32] {
    #[inline(always)]
    unsafe fn add_to<S: Simd, const ALL: bool>(self, v: S::V, at: usize, n: usize) -> S::V {
        // SAFETY: the caller's.
        unsafe { S::add(v, load::<S, ALL>(self.as_ptr().add(at), n)) }
    }
}

struct ApplyRows<'a> {
    args: Apply<'a>,
    y: &'a mut [f32],
}

impl ApplyRows<'_> {
    #[inline(always)]
    unsafe fn rows<S: Simd>(&mut self, add: impl Addend) {
        let channels = self.args.scale.len();
        let mut row = 0;
        while row < self.y.len() {
            let mut c = 0;
            // SAFETY: each block ends within its row, and rows are whole.
            unsafe {
                while c + LANES <= channels {
                    self.block::<S, true>(row + c, c, add);
                    c += LANES;
                }
                if c < channels {
                    self.block::<S, false>(row + c, c, add);
                }
            }
            row += channels;
        }
    }

    #[inline(always)]
    unsafe fn block<S: Simd, const ALL: bool>(&mut self, at: usize, c: usize, add: impl Addend) {
        let n = self.args.scale.len() - c;
        let (low, high) = self.args.activation.bounds();
        // SAFETY: the caller has floats from `at` and channels from `c` on: sixteen where `ALL`,
        // else `n`; `add` is as long as `y`.
        unsafe {
            let scale = load::<S, ALL>(self.args.scale.as_ptr().add(c), n);
            let shift = load::<S, ALL>(self.args.shift.as_ptr().add(c), n);
            let mut v = S::fma(load::<S, ALL>(self.args.x.as_ptr().add(at), n), scale, shift);
            v = add.add_to::<S, ALL>(v, at, n);
            v = S::min(S::splat(high), S::max(S::splat(low), v));
            store::<S, ALL>(self.y.as_mut_ptr().add(at), v, n);
        }
    }
}

impl Kernel for ApplyRows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        // SAFETY: `apply` has checked the lengths.
        unsafe {
            match self.args.add {
                Some(add) => self.rows::<S>(add),
                None => self.rows::<S>(Nothing),
            }
        }
    }
}

/// `x = activation(x + bias + add)` in place: `x` and `add` `[R, C]`, `bias` `[C]`.
///
/// # Panics
/// If a length does not fit.
pub fn bias_act(
    isa: Isa,
    x: &mut [f32],
    bias: Option<&[f32]>,
    add: Option<&[f32]>,
    activation: Activation,
) {
    assert!(add.is_none_or(|add| add.len() == x.len()), "addend");
    let len = x.len();
    let matrix = bias.map(|bias| Rows::new(len, bias.len()));
    let x = Shared::new(x);
    let work = |range: std::ops::Range<usize>| {
        let add = add.map(|add| &add[range.clone()]);
        // SAFETY: ranges have no float in common.
        let x = unsafe { x.part(range) };
        isa.run(BiasRows { x, bias, add, activation });
    };
    match matrix {
        Some(matrix) => for_each(matrix.chunks(), |i| work(matrix.chunk(i))),
        None => for_each_part(len, work),
    }
}

struct BiasRows<'a> {
    x: &'a mut [f32],
    bias: Option<&'a [f32]>,
    add: Option<&'a [f32]>,
    activation: Activation,
}

impl BiasRows<'_> {
    #[inline(always)]
    unsafe fn rows<S: Simd>(&mut self, bias: impl Addend, add: impl Addend) {
        let channels = self.bias.map_or(self.x.len(), <[f32]>::len);
        let mut row = 0;
        while row < self.x.len() {
            let mut c = 0;
            // SAFETY: each block ends within its row, and rows are whole.
            unsafe {
                while c + LANES <= channels {
                    self.block::<S, true>((row + c, c, LANES), bias, add);
                    c += LANES;
                }
                if c < channels {
                    self.block::<S, false>((row + c, c, channels - c), bias, add);
                }
            }
            row += channels;
        }
    }

    #[inline(always)]
    unsafe fn block<S: Simd, const ALL: bool>(
        &mut self,
        (at, c, n): (usize, usize, usize),
        bias: impl Addend,
        add: impl Addend,
    ) {
        let (low, high) = self.activation.bounds();
        // SAFETY: the caller has `n` floats from `at` and `n` channels from `c` on, sixteen where
        // `ALL`; `add` is as long as `x`.
        unsafe {
            let x = self.x.as_mut_ptr().add(at);
            let v = bias.add_to::<S, ALL>(load::<S, ALL>(x, n), c, n);
            let v = add.add_to::<S, ALL>(v, at, n);
            store::<S, ALL>(x, S::min(S::splat(high), S::max(S::splat(low), v)), n);
        }
    }
}

impl Kernel for BiasRows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        // SAFETY: `bias_act` has checked the lengths.
        unsafe {
            match (self.bias, self.add) {
                (None, None) => self.rows::<S>(Nothing, Nothing),
                (None, Some(add)) => self.rows::<S>(Nothing, add),
                (Some(bias), None) => self.rows::<S>(bias, Nothing),
                (Some(bias), Some(add)) => self.rows::<S>(bias, add),
            }
        }
    }
}

/// `a += b`, float by float.
///
/// # Panics
/// If the lengths differ.
pub fn add_assign(isa: Isa, a: &mut [f32], b: &[f32]) {
    bias_act(isa, a, None, Some(b), Activation::None);
}

/// Makes zeros of the gradients `dy` where the activation, which answered `y`, lets none pass
/// ([`Activation::passes`]).
///
/// # Panics
/// If the lengths differ.
pub fn mask(isa: Isa, dy: &mut [f32], y: &[f32], activation: Activation) {
    assert_eq!(dy.len(), y.len(), "lengths");
    if activation == Activation::None {
        return;
    }
    let dy_shared = Shared::new(dy);
    for_each_part(y.len(), |range| {
        // SAFETY: ranges have no float in common.
        let dy = unsafe { dy_shared.part(range.clone()) };
        isa.run(MaskPart { dy, y: &y[range], bounds: activation.bounds() });
    });
}

/// `g` where `bounds` lie around `z`, else zero.
///
/// # Safety
/// The CPU must have the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn passed<S: Simd>(g: S::V, z: S::V, bounds: (f32, f32)) -> S::V {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let g = S::keep(S::greater(z, S::splat(bounds.0)), g);
        S::keep(S::greater(S::splat(bounds.1), z), g)
    }
}

struct MaskPart<'a> {
    dy: &'a mut [f32],
    y: &'a [f32],
    bounds: (f32, f32),
}

impl MaskPart<'_> {
    #[inline(always)]
    unsafe fn block<S: Simd, const ALL: bool>(&mut self, at: usize, n: usize) {
        // SAFETY: the caller has `n` floats from `at` on in both, sixteen where `ALL`.
        unsafe {
            let dy = self.dy.as_mut_ptr().add(at);
            let y = load::<S, ALL>(self.y.as_ptr().add(at), n);
            store::<S, ALL>(dy, passed::<S>(load::<S, ALL>(dy, n), y, self.bounds), n);
        }
    }
}

impl Kernel for MaskPart<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let len = self.dy.len();
        assert!(self.y.len() == len);
        let mut at = 0;
        // SAFETY: each block ends within both slices.
        unsafe {
            while at + LANES <= len {
                self.block::<S, true>(at, LANES);
                at += LANES;
            }
            if at < len {
                self.block::<S, false>(at, len - at);
            }
        }
    }
}
