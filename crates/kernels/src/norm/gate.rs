//! Which gradients pass the activation on the way back: a type for each rule, so that loops over
//! floats have no branch.

use super::Backward;
use super::pointwise::passed;
use crate::rows::load;
use crate::simd::Simd;

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
