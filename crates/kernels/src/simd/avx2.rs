//! Two AVX2 registers, with fused multiply-add.

#[allow(clippy::wildcard_imports)] // each name says its instruction set
use std::arch::x86_64::*;

use super::{Kernel, LANES, Simd};

/// Compiles `kernel` with AVX2 and FMA.
///
/// # Safety
/// The CPU must have both.
#[target_feature(enable = "avx2,fma,popcnt")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the caller has the instruction set.
    unsafe { kernel.run::<Avx2>() }
}

#[derive(Clone, Copy)]
struct Avx2;

/// Eight ones, then eight zeros: a window of it is the mask for a first part of eight floats.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The mask of the first `n` of eight floats; `n` beyond 8 counts as 8.
#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    // SAFETY: eight integers from 8 - min(n, 8) on are inside the sixteen.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - n.min(8)).cast()) }
}

/// For each eight bits, the places of the set ones, then zeros.
static FRONTS: [[i32; 8]; 256] = fronts();

const fn fronts() -> [[i32; 8]; 256] {
    let mut fronts = [[0; 8]; 256];
    let mut bits = 0;
    while bits < 256 {
        let (mut lane, mut next) = (0, 0);
        while lane < 8 {
            if bits >> lane & 1 == 1 {
                fronts[bits][next] = lane;
                next += 1;
            }
            lane += 1;
        }
        bits += 1;
    }
    fronts
}

/// The lanes of `v` whose bits are set, moved to the front.
#[inline(always)]
unsafe fn front(bits: u32, v: __m256) -> __m256 {
    // SAFETY: the caller has AVX2; eight integers are read from an array of eight.
    unsafe {
        let places = _mm256_loadu_si256(FRONTS[bits as usize & 255].as_ptr().cast());
        _mm256_permutevar8x32_ps(v, places)
    }
}

/// Which lanes are not NaN.
#[inline(always)]
unsafe fn number(v: __m256) -> __m256 {
    // SAFETY: the caller has AVX2.
    unsafe { _mm256_cmp_ps::<_CMP_ORD_Q>(v, v) }
}

/// Writes the first `n < 8` floats.
#[inline(always)]
pub(super) unsafe fn store_few(mut p: *mut f32, v: __m256, n: usize) {
    // SAFETY: the caller has AVX2, and `n` floats at `p`: the parts add up to `n`.
    unsafe {
        let mut rest = _mm256_castps256_ps128(v);
        if n & 4 != 0 {
            _mm_storeu_ps(p, rest);
            p = p.add(4);
            rest = _mm256_extractf128_ps::<1>(v);
        }
        if n & 2 != 0 {
            _mm_storel_pd(p.cast(), _mm_castps_pd(rest));
            p = p.add(2);
            rest = _mm_movehl_ps(rest, rest);
        }
        if n & 1 != 0 {
            _mm_store_ss(p, rest);
        }
    }
}

/// The upper and the lower half of eight products.
#[inline(always)]
unsafe fn mul_wide_half(a: __m256i, b: __m256i) -> [__m256i; 2] {
    // SAFETY: the caller has AVX2.
    unsafe {
        let even = _mm256_mul_epu32(a, b);
        let odd = _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), _mm256_srli_epi64::<32>(b));
        let high = _mm256_blend_epi32::<0xAA>(_mm256_srli_epi64::<32>(even), odd);
        let low = _mm256_blend_epi32::<0xAA>(even, _mm256_slli_epi64::<32>(odd));
        [high, low]
    }
}

macro_rules! each {
    ($f:ident($($x:expr),*)) => { [$f($($x[0]),*), $f($($x[1]),*)] };
}

// SAFETY (all blocks below): the trait's contract gives the instruction set, and valid pointers for
// all floats that are touched; the two halves are eight floats each.
#[allow(clippy::undocumented_unsafe_blocks)] // the comment above is for each of them
impl Simd for Avx2 {
    type V = [__m256; 2];
    type U = [__m256i; 2];
    type M = [__m256; 2];
    const PANELS: usize = 1;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        unsafe { [_mm256_set1_ps(x); 2] }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { [_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))] }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe {
            _mm256_storeu_ps(p, v[0]);
            _mm256_storeu_ps(p.add(8), v[1]);
        }
    }
    #[inline(always)]
    unsafe fn prefetch(p: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn prefetch_write(p: *mut f32) {
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(p.cast_const().cast()) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self::V {
        // `wrapping_add`: with n < 8 the second half may lie outside, and is not touched.
        unsafe {
            [
                _mm256_maskload_ps(p, first(n)),
                _mm256_maskload_ps(p.wrapping_add(8), first(n.saturating_sub(8))),
            ]
        }
    }
    #[inline(always)]
    unsafe fn store_first(p: *mut f32, v: Self::V, n: usize) {
        // Masked stores are slow on AMD's CPUs; these branches always go the same way in a loop.
        unsafe {
            if n >= LANES {
                Self::store(p, v);
            } else if n >= 8 {
                _mm256_storeu_ps(p, v[0]);
                store_few(p.add(8), v[1], n - 8);
            } else {
                store_few(p, v[0], n);
            }
        }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { each!(_mm256_add_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { each!(_mm256_sub_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { each!(_mm256_mul_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        unsafe { each!(_mm256_div_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: Self::V) -> Self::V {
        unsafe { each!(_mm256_sqrt_ps(a)) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { each!(_mm256_fmadd_ps(a, b, c)) }
    }
    #[inline(always)]
    unsafe fn max(bound: Self::V, x: Self::V) -> Self::V {
        unsafe { each!(_mm256_max_ps(bound, x)) }
    }
    #[inline(always)]
    unsafe fn min(bound: Self::V, x: Self::V) -> Self::V {
        unsafe { each!(_mm256_min_ps(bound, x)) }
    }
    #[inline(always)]
    unsafe fn greater(a: Self::V, b: Self::V) -> Self::M {
        unsafe {
            [_mm256_cmp_ps::<_CMP_GT_OQ>(a[0], b[0]), _mm256_cmp_ps::<_CMP_GT_OQ>(a[1], b[1])]
        }
    }
    #[inline(always)]
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M {
        unsafe {
            let greater = Self::greater(a, b);
            let nan = [
                _mm256_cmp_ps::<_CMP_UNORD_Q>(a[0], a[0]),
                _mm256_cmp_ps::<_CMP_UNORD_Q>(a[1], a[1]),
            ];
            each!(_mm256_or_ps(greater, nan))
        }
    }
    #[inline(always)]
    unsafe fn beats(a: Self::V, b: Self::V) -> Self::M {
        unsafe {
            let number = each!(number(b));
            let above = [
                _mm256_cmp_ps::<_CMP_NLE_UQ>(a[0], b[0]),
                _mm256_cmp_ps::<_CMP_NLE_UQ>(a[1], b[1]),
            ];
            each!(_mm256_and_ps(number, above))
        }
    }
    #[inline(always)]
    unsafe fn select(mask: Self::M, a: Self::V, b: Self::V) -> Self::V {
        unsafe { each!(_mm256_blendv_ps(b, a, mask)) }
    }
    #[inline(always)]
    unsafe fn keep(mask: Self::M, v: Self::V) -> Self::V {
        // Not a blend with zero: with a store behind it, that is compiled to a masked store, which
        // AMD's CPUs do slowly.
        unsafe { each!(_mm256_and_ps(mask, v)) }
    }
    #[inline(always)]
    unsafe fn bytes_equal(p: *const u8, byte: u8) -> Self::M {
        unsafe {
            let equal =
                _mm_cmpeq_epi8(_mm_loadu_si128(p.cast()), _mm_set1_epi8(byte.cast_signed()));
            [
                _mm256_castsi256_ps(_mm256_cvtepi8_epi32(equal)),
                _mm256_castsi256_ps(_mm256_cvtepi8_epi32(_mm_srli_si128::<8>(equal))),
            ]
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: Self::V) {
        unsafe {
            let [low, high] = each!(_mm256_cvtps_epi32(v));
            // Packing works on halves of registers; the permutations put the halves in order.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
            let bytes = _mm256_packus_epi16(words, words);
            let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(bytes);
            _mm_storeu_si128(p.cast(), _mm256_castsi256_si128(bytes));
        }
    }
    #[inline(always)]
    unsafe fn store_front(p: *mut f32, mask: Self::M, v: Self::V) {
        unsafe {
            let low = _mm256_movemask_ps(mask[0]).cast_unsigned();
            let high = _mm256_movemask_ps(mask[1]).cast_unsigned();
            _mm256_storeu_ps(p, front(low, v[0]));
            _mm256_storeu_ps(p.add(low.count_ones() as usize), front(high, v[1]));
        }
    }
    #[inline(always)]
    unsafe fn bits(mask: Self::M) -> u32 {
        unsafe {
            _mm256_movemask_ps(mask[0]).cast_unsigned()
                | _mm256_movemask_ps(mask[1]).cast_unsigned() << 8
        }
    }
    #[inline(always)]
    unsafe fn pow2(n: Self::V) -> Self::V {
        unsafe {
            let bias = _mm256_set1_epi32(127);
            let n = each!(_mm256_cvtps_epi32(n));
            let n = [_mm256_add_epi32(n[0], bias), _mm256_add_epi32(n[1], bias)];
            [
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(n[0])),
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(n[1])),
            ]
        }
    }
    #[inline(always)]
    unsafe fn splat_u32(x: u32) -> Self::U {
        unsafe { [_mm256_set1_epi32(x.cast_signed()); 2] }
    }
    #[inline(always)]
    unsafe fn load_u32(p: *const u32) -> Self::U {
        unsafe { [_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(8).cast())] }
    }
    #[inline(always)]
    unsafe fn add_u32(a: Self::U, b: Self::U) -> Self::U {
        unsafe { each!(_mm256_add_epi32(a, b)) }
    }
    #[inline(always)]
    unsafe fn xor_u32(a: Self::U, b: Self::U, c: Self::U) -> Self::U {
        unsafe {
            let ab = each!(_mm256_xor_si256(a, b));
            each!(_mm256_xor_si256(ab, c))
        }
    }
    #[inline(always)]
    unsafe fn mul_wide(a: Self::U, b: Self::U) -> [Self::U; 2] {
        unsafe {
            let [high0, low0] = mul_wide_half(a[0], b[0]);
            let [high1, low1] = mul_wide_half(a[1], b[1]);
            [[high0, high1], [low0, low1]]
        }
    }
    #[inline(always)]
    unsafe fn less_u32(a: Self::U, b: Self::U) -> Self::M {
        unsafe {
            // There is a signed comparison only: moving both by 2^31 keeps their order.
            let top = [_mm256_set1_epi32(i32::MIN); 2];
            let (a, b) = (each!(_mm256_xor_si256(a, top)), each!(_mm256_xor_si256(b, top)));
            let less = each!(_mm256_cmpgt_epi32(b, a));
            each!(_mm256_castsi256_ps(less))
        }
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        unsafe {
            let eight = _mm256_add_ps(v[0], v[1]);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
}
