//! Which gradients pass the activation on the way back: a type for each rule, so that loops over
//! floats have no branch.

use std::ops::Range;

use super::pointwise::passed;
use crate::conv::Activation;
use crate::rows::load;
use crate::simd::Simd;

/// What [`super::backward()`] reads.
#[derive(Clone, Copy)]
pub struct Backward<'a> {
    /// What was normalised, `[R, C]`.
    pub x: &'a [f32],
    /// What the activation answered, `[R, C]`. Without it, that is computed again from `x`, which is
    /// right where nothing was added.
    pub z: Option<&'a [f32]>,
    /// What [`super::apply`] multiplied by and added, each `[C]`.
    pub scale: &'a [f32],
    /// See `scale`.
    pub shift: &'a [f32],
    /// The activation.
    pub activation: Activation,
    /// Mean of each channel of `x`, `[C]`.
    pub mean: &'a [f32],
    /// `1 / sqrt(variance + epsilon)`, `[C]`.
    pub inv_std: &'a [f32],
    /// The learned scale, `[C]`.
    pub gamma: &'a [f32],
}

impl Backward<'_> {
    /// The same for the floats of `range`, which are whole rows.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        Self { x: &self.x[range.clone()], z: self.z.map(|z| &z[range]), ..*self }
    }

    /// Whether the gradient at place `i` passes the activation.
    pub(super) fn passes(&self, i: usize) -> bool {
        let c = i % self.scale.len();
        let input = || self.x[i].mul_add(self.scale[c], self.shift[c]);
        self.activation.passes(self.z.map_or_else(input, |z| z[i]))
    }
}

impl<'a> Backward<'a> {
    pub(super) fn rule(&self) -> Rule<'a> {
        match (self.activation, self.z) {
            (Activation::None, _) => Rule::AllPass,
            (_, Some(z)) => Rule::ByOutput(z),
            (_, None) => Rule::ByInput,
        }
    }
}

/// The rule of a backward pass.
pub(super) enum Rule<'a> {
    AllPass,
    /// By what the activation answered, `[R, C]`.
    ByOutput(&'a [f32]),
    /// By what that was computed from.
    ByInput,
}

/// A rule as a type.
pub(super) trait Gate: Copy {
    /// What of the gradients `g` at a place passes the activation.
    ///
    /// # Safety
    /// The CPU must have `S`; at the place there must be sixteen floats where `ALL`, else `n`.
    unsafe fn passed<S: Simd, const ALL: bool>(
        self,
        args: &Backward,
        g: S::V,
        place: MatrixPlace,
    ) -> S::V;
}

/// Float `at` of the matrix, in channel `c`, and how many channels follow in its row.
#[derive(Clone, Copy)]
pub(super) struct MatrixPlace {
    pub(super) at: usize,
    pub(super) c: usize,
    pub(super) n: usize,
}

#[derive(Clone, Copy)]
pub(super) struct AllPass;

impl Gate for AllPass {
    #[inline(always)]
    unsafe fn passed<S: Simd, const ALL: bool>(
        self,
        _: &Backward,
        g: S::V,
        _: MatrixPlace,
    ) -> S::V {
        g
    }
}

/// The outputs, `[R, C]`.
#[derive(Clone, Copy)]
pub(super) struct ByOutput<'a>(pub(super) &'a [f32]);

impl Gate for ByOutput<'_> {
    #[inline(always)]
    unsafe fn passed<S: Simd, const ALL: bool>(
        self,
        args: &Backward,
        g: S::V,
        MatrixPlace { at, n, .. }: MatrixPlace,
    ) -> S::V {
        // SAFETY: the caller's.
        unsafe {
            let z = load::<S, ALL>(self.0.as_ptr().add(at), n);
            passed::<S>(g, z, args.activation.bounds())
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct ByInput;

impl Gate for ByInput {
    #[inline(always)]
    unsafe fn passed<S: Simd, const ALL: bool>(
        self,
        args: &Backward,
        g: S::V,
        MatrixPlace { at, c, n }: MatrixPlace,
    ) -> S::V {
        // SAFETY: the caller's.
        unsafe {
            let x = load::<S, ALL>(args.x.as_ptr().add(at), n);
            let scale = load::<S, ALL>(args.scale.as_ptr().add(c), n);
            let z = S::fma(x, scale, load::<S, ALL>(args.shift.as_ptr().add(c), n));
            passed::<S>(g, z, args.activation.bounds())
        }
    }
}
