//! One AVX-512 register.

#[allow(clippy::wildcard_imports)] // each name says its instruction set
use std::arch::x86_64::*;

use super::avx2::store_few;
use super::{Kernel, LANES, Simd};

/// Compiles `kernel` with AVX-512.
///
/// # Safety
/// The CPU must have the parts that are named here.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,popcnt")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the caller has the instruction set.
    unsafe { kernel.run::<Avx512>() }
}

#[derive(Clone, Copy)]
struct Avx512;

/// The mask of the first `n <= 16` floats.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

// SAFETY (all blocks below): the trait's contract gives the instruction set, and valid pointers for
// all floats that are touched.
#[allow(clippy::undocumented_unsafe_blocks)] // the comment above is for each of them
impl Simd for Avx512 {
    type V = __m512;
    type U = __m512i;
    type M = __mmask16;
    const PANELS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe { _mm512_storeu_ps(p, v) }
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
        unsafe { _mm512_maskz_loadu_ps(first(n), p) }
    }
    #[inline(always)]
    unsafe fn store_first(p: *mut f32, v: Self::V, n: usize) {
        // A masked store counts as sixteen floats when the CPU looks whether a later load may pass
        // it; the branches always go the same way in a loop.
        unsafe {
            if n >= LANES {
                Self::store(p, v);
            } else if n >= 8 {
                _mm256_storeu_ps(p, _mm512_castps512_ps256(v));
                store_few(p.add(8), _mm512_extractf32x8_ps::<1>(v), n - 8);
            } else {
                store_few(p, _mm512_castps512_ps256(v), n);
            }
        }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: Self::V) -> Self::V {
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(bound: Self::V, x: Self::V) -> Self::V {
        unsafe { _mm512_max_ps(bound, x) }
    }
    #[inline(always)]
    unsafe fn min(bound: Self::V, x: Self::V) -> Self::V {
        unsafe { _mm512_min_ps(bound, x) }
    }
    #[inline(always)]
    unsafe fn greater(a: Self::V, b: Self::V) -> Self::M {
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M {
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a) }
    }
    #[inline(always)]
    unsafe fn beats(a: Self::V, b: Self::V) -> Self::M {
        unsafe {
            let number = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(b, b);
            _mm512_mask_cmp_ps_mask::<_CMP_NLE_UQ>(number, a, b)
        }
    }
    #[inline(always)]
    unsafe fn select(mask: Self::M, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_mask_blend_ps(mask, b, a) }
    }
    #[inline(always)]
    unsafe fn keep(mask: Self::M, v: Self::V) -> Self::V {
        unsafe { _mm512_maskz_mov_ps(mask, v) }
    }
    #[inline(always)]
    unsafe fn bytes_equal(p: *const u8, byte: u8) -> Self::M {
        unsafe { _mm_cmpeq_epi8_mask(_mm_loadu_si128(p.cast()), _mm_set1_epi8(byte.cast_signed())) }
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: Self::V) {
        unsafe { _mm_storeu_si128(p.cast(), _mm512_cvtusepi32_epi8(_mm512_cvtps_epu32(v))) }
    }
    #[inline(always)]
    unsafe fn store_front(p: *mut f32, mask: Self::M, v: Self::V) {
        // Not the form that writes to memory itself: AMD's take hundreds of cycles for it.
        unsafe { _mm512_storeu_ps(p, _mm512_maskz_compress_ps(mask, v)) }
    }
    #[inline(always)]
    unsafe fn bits(mask: Self::M) -> u32 {
        u32::from(mask)
    }
    #[inline(always)]
    unsafe fn pow2(n: Self::V) -> Self::V {
        unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        }
    }
    #[inline(always)]
    unsafe fn splat_u32(x: u32) -> Self::U {
        unsafe { _mm512_set1_epi32(x.cast_signed()) }
    }
    #[inline(always)]
    unsafe fn load_u32(p: *const u32) -> Self::U {
        unsafe { _mm512_loadu_si512(p.cast()) }
    }
    #[inline(always)]
    unsafe fn add_u32(a: Self::U, b: Self::U) -> Self::U {
        unsafe { _mm512_add_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn xor_u32(a: Self::U, b: Self::U, c: Self::U) -> Self::U {
        unsafe { _mm512_ternarylogic_epi32::<0x96>(a, b, c) }
    }
    #[inline(always)]
    unsafe fn mul_wide(a: Self::U, b: Self::U) -> [Self::U; 2] {
        unsafe {
            let even = _mm512_mul_epu32(a, b);
            let odd = _mm512_mul_epu32(_mm512_srli_epi64::<32>(a), _mm512_srli_epi64::<32>(b));
            // Each half of `even` and `odd` moves to its neighbour where it belongs.
            let high = _mm512_mask_shuffle_epi32::<0xB1>(odd, 0x5555, even);
            let low = _mm512_mask_shuffle_epi32::<0xB1>(even, 0xAAAA, odd);
            [high, low]
        }
    }
    #[inline(always)]
    unsafe fn less_u32(a: Self::U, b: Self::U) -> Self::M {
        unsafe { _mm512_cmplt_epu32_mask(a, b) }
    }
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        unsafe {
            let eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
}
