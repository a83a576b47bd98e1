//! Sixteen floats at a time, on whatever the CPU has.
//!
//! Every kernel is written once, over [`Simd`], in steps of sixteen floats: one AVX-512 register,
//! two AVX2 registers, or an array that the compiler vectorises. The step is the same everywhere, so
//! that sums have one order on all instruction sets.
//!
//! A kernel is a value that implements [`Kernel`]; [`Isa::run`] compiles it once per instruction
//! set. Its `run` and all it calls must be `#[inline(always)]` and must not use closures in hot
//! loops: code that is not inlined into `Isa::run` is compiled without the instruction set.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::sync::OnceLock;

/// Floats in one [`Simd::V`].
pub const LANES: usize = 16;

/// An instruction set that this program has code for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The widest that this CPU has.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| *Self::available().last().unwrap_or(&Self::PORTABLE))
    }

    /// The form that runs everywhere.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// All that this CPU has, the narrowest first. An `Isa` cannot be made in another way, so having
    /// one proves that the CPU has its instructions.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut sets = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            use std::is_x86_feature_detected as has;
            if has!("avx2") && has!("fma") && has!("popcnt") {
                sets.push(Self(Set::Avx2));
                if has!("avx512f") && has!("avx512vl") && has!("avx512bw") && has!("avx512dq") {
                    sets.push(Self(Set::Avx512));
                }
            }
        }
        sets
    }

    /// Its name, for people; of the portable form the one that the compiler makes of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable if cfg!(target_arch = "x86_64") => "SSE2",
            Set::Portable if cfg!(target_arch = "aarch64") => "NEON",
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2 + FMA",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
        }
    }

    /// Runs `kernel` in the form for this instruction set.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            // SAFETY: the portable form needs no instruction beyond the target's.
            Set::Portable => unsafe { kernel.run::<portable::Portable>() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa` of this set exists only where the CPU has AVX2 and FMA.
            Set::Avx2 => unsafe { avx2::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa` of this set exists only where the CPU has these parts of AVX-512.
            Set::Avx512 => unsafe { avx512::run(kernel) },
        }
    }
}

/// Work that is compiled once per instruction set.
pub(crate) trait Kernel {
    /// What it answers.
    type Output;

    /// The work.
    ///
    /// # Safety
    /// The CPU must have the instructions of `S`. Implementations state what else they rely on.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

/// Operations on sixteen floats. All follow IEEE 754; a NaN in an operand that is not a bound is
/// kept by `max` and `min`.
///
/// # Safety of its functions
/// The CPU must have the instruction set, and pointers must be valid for the floats that are read
/// or written (no alignment is asked for).
pub(crate) trait Simd: Copy {
    /// Sixteen floats.
    type V: Copy;
    /// Sixteen 32-bit words.
    type U: Copy;
    /// Sixteen yes or no.
    type M: Copy;
    /// How many `V` across a register tile of six rows may be, so that all sums stay in registers.
    const PANELS: usize;

    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(p: *const f32) -> Self::V;
    unsafe fn store(p: *mut f32, v: Self::V);
    /// Asks for the line of `p`, which may lie anywhere, to be brought into the second-level cache.
    unsafe fn prefetch(p: *const f32);
    /// Asks for the line of `p`, which may lie anywhere, to be made ready to be written.
    unsafe fn prefetch_write(p: *mut f32);
    /// The first `n <= 16` floats at `p`, then zeros; no float beyond them is touched.
    unsafe fn load_first(p: *const f32, n: usize) -> Self::V;
    /// The same, by a plain load where it can be.
    #[inline(always)]
    unsafe fn load_up_to(p: *const f32, n: usize) -> Self::V {
        // SAFETY: the caller's.
        unsafe { if n == LANES { Self::load(p) } else { Self::load_first(p, n) } }
    }
    /// Writes the first `n <= 16` floats.
    unsafe fn store_first(p: *mut f32, v: Self::V, n: usize);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sqrt(a: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the CPU can.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of `bound` and `x`; `x` where it is NaN.
    unsafe fn max(bound: Self::V, x: Self::V) -> Self::V;
    /// The smaller of `bound` and `x`; `x` where it is NaN.
    unsafe fn min(bound: Self::V, x: Self::V) -> Self::V;
    /// `a > b`; false where either is NaN.
    unsafe fn greater(a: Self::V, b: Self::V) -> Self::M;
    /// `a > b`, or `a` is NaN.
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M;
    /// `a > b`, or `a` is NaN and `b` is not: so the first of the largest, or the first NaN, beats
    /// all that come after it.
    unsafe fn beats(a: Self::V, b: Self::V) -> Self::M;
    /// `a` where the mask is set, else `b`.
    unsafe fn select(mask: Self::M, a: Self::V, b: Self::V) -> Self::V;
    /// `v` where the mask is set, else zero.
    unsafe fn keep(mask: Self::M, v: Self::V) -> Self::V;
    /// Which bytes, of sixteen at `p`, are `byte`.
    unsafe fn bytes_equal(p: *const u8, byte: u8) -> Self::M;
    /// Writes sixteen bytes: the lanes, which are whole numbers from 0 to 255.
    unsafe fn store_bytes(p: *mut u8, v: Self::V);
    /// Moves the lanes in the mask to the front, keeps their order, and writes sixteen floats: what
    /// comes after the moved lanes is anything.
    unsafe fn store_front(p: *mut f32, mask: Self::M, v: Self::V);
    /// The mask as bits, lane 0 the lowest.
    unsafe fn bits(mask: Self::M) -> u32;
    /// `2^n` for whole `n` from -126 to 127; another `n` gives some number.
    unsafe fn pow2(n: Self::V) -> Self::V;
    unsafe fn splat_u32(x: u32) -> Self::U;
    unsafe fn load_u32(p: *const u32) -> Self::U;
    /// The sum, which wraps.
    unsafe fn add_u32(a: Self::U, b: Self::U) -> Self::U;
    /// `a ^ b ^ c`.
    unsafe fn xor_u32(a: Self::U, b: Self::U, c: Self::U) -> Self::U;
    /// The upper and the lower half of the 64-bit products `a * b`.
    unsafe fn mul_wide(a: Self::U, b: Self::U) -> [Self::U; 2];
    /// `a < b`.
    unsafe fn less_u32(a: Self::U, b: Self::U) -> Self::M;
    /// The sum of all lanes: lane `i` to lane `i + 8`, then 4, 2, 1.
    unsafe fn sum(v: Self::V) -> f32;
}
