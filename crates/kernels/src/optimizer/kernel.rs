//! One piece of a parameter. Products and sums are not fused: see the module's promise.

use super::{Adam, Sgd};
use crate::simd::{Kernel, LANES, Simd};

/// A piece of the four slices of [`super::adam`], of equal length.
pub(super) struct AdamPiece<'a> {
    pub(super) step: &'a Adam,
    pub(super) param: &'a mut [f32],
    pub(super) gradient: &'a [f32],
    pub(super) first: &'a mut [f32],
    pub(super) second: &'a mut [f32],
}

impl Kernel for AdamPiece<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.param.len();
        let (p, g) = (self.param.as_mut_ptr(), self.gradient.as_ptr());
        let (m, v) = (self.first.as_mut_ptr(), self.second.as_mut_ptr());
        let whole = len - len % LANES;
        // SAFETY: the four slices have `len` elements, and every access below ends at or before it.
        unsafe {
            let step = AdamLanes::<S>::new(self.step);
            let mut i = 0;
            while i < whole {
                let old = (S::load(m.add(i)), S::load(v.add(i)));
                let (param, first, second) = step.apply(S::load(p.add(i)), S::load(g.add(i)), old);
                S::store(p.add(i), param);
                S::store(m.add(i), first);
                S::store(v.add(i), second);
                i += LANES;
            }
            if i < len {
                let n = len - i;
                let old = (S::load_first(m.add(i), n), S::load_first(v.add(i), n));
                let (param, gradient) = (S::load_first(p.add(i), n), S::load_first(g.add(i), n));
                let (param, first, second) = step.apply(param, gradient, old);
                S::store_first(p.add(i), param, n);
                S::store_first(m.add(i), first, n);
                S::store_first(v.add(i), second, n);
            }
        }
    }
}

/// The numbers of a step in every lane.
struct AdamLanes<S: Simd> {
    scale: S::V,
    shrink: S::V,
    decay: S::V,
    beta1: S::V,
    rest1: S::V,
    beta2: S::V,
    rest2: S::V,
    correction: S::V,
    epsilon: S::V,
    rate: S::V,
    decays: bool,
    fresh: bool,
}

impl<S: Simd> AdamLanes<S> {
    /// # Safety
    /// The CPU must have the instructions of `S`.
    #[inline(always)]
    unsafe fn new(step: &Adam) -> Self {
        // SAFETY: the caller has the instruction set.
        unsafe {
            Self {
                scale: S::splat(step.scale),
                shrink: S::splat(step.shrink),
                decay: S::splat(step.decay),
                beta1: S::splat(step.beta1),
                rest1: S::splat(step.rest1),
                beta2: S::splat(step.beta2),
                rest2: S::splat(step.rest2),
                correction: S::splat(step.correction),
                epsilon: S::splat(step.epsilon),
                rate: S::splat(step.rate),
                decays: step.decay != 0.0,
                fresh: step.fresh,
            }
        }
    }

    /// The new parameter and moments.
    ///
    /// # Safety
    /// The CPU must have the instructions of `S`.
    #[inline(always)]
    unsafe fn apply(
        &self,
        param: S::V,
        gradient: S::V,
        (first, second): (S::V, S::V),
    ) -> (S::V, S::V, S::V) {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let mut gradient = S::mul(gradient, self.scale);
            if self.decays {
                gradient = S::add(gradient, S::mul(param, self.decay));
            }
            let mut square = S::mul(S::mul(gradient, gradient), self.rest2);
            let mut mean = S::mul(gradient, self.rest1);
            if !self.fresh {
                mean = S::add(S::mul(first, self.beta1), mean);
                square = S::add(S::mul(second, self.beta2), square);
            }
            let root = S::add(S::div(S::sqrt(square), self.correction), self.epsilon);
            let step = S::mul(S::div(mean, root), self.rate);
            (S::sub(S::mul(param, self.shrink), step), mean, square)
        }
    }
}

/// A piece of the three slices of [`super::sgd`], of equal length.
pub(super) struct SgdPiece<'a> {
    pub(super) step: &'a Sgd,
    pub(super) param: &'a mut [f32],
    pub(super) gradient: &'a [f32],
    pub(super) velocity: &'a mut [f32],
}

impl Kernel for SgdPiece<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.param.len();
        let (p, g, v) =
            (self.param.as_mut_ptr(), self.gradient.as_ptr(), self.velocity.as_mut_ptr());
        let whole = len - len % LANES;
        // SAFETY: the three slices have `len` elements, and every access below ends at or before it.
        unsafe {
            let mut i = 0;
            while i < whole {
                let old = S::load(v.add(i));
                let (param, velocity) =
                    sgd_lanes::<S>(self.step, S::load(p.add(i)), S::load(g.add(i)), old);
                S::store(p.add(i), param);
                S::store(v.add(i), velocity);
                i += LANES;
            }
            if i < len {
                let n = len - i;
                let (param, gradient) = (S::load_first(p.add(i), n), S::load_first(g.add(i), n));
                let old = S::load_first(v.add(i), n);
                let (param, velocity) = sgd_lanes::<S>(self.step, param, gradient, old);
                S::store_first(p.add(i), param, n);
                S::store_first(v.add(i), velocity, n);
            }
        }
    }
}

/// The new parameter and velocity.
///
/// # Safety
/// The CPU must have the instructions of `S`.
#[inline(always)]
unsafe fn sgd_lanes<S: Simd>(
    step: &Sgd,
    param: S::V,
    gradient: S::V,
    velocity: S::V,
) -> (S::V, S::V) {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let mut new = S::mul(gradient, S::splat(step.scale));
        if step.decay != 0.0 {
            new = S::add(new, S::mul(param, S::splat(step.decay)));
        }
        if !step.fresh {
            new = S::add(S::mul(velocity, S::splat(step.momentum)), new);
        }
        (S::sub(param, S::mul(new, S::splat(step.rate))), new)
    }
}
