//! Plain arrays: the form that every CPU runs, vectorised by the compiler.

use super::{LANES, Simd};

#[derive(Clone, Copy)]
pub(super) struct Portable;

macro_rules! lanes {
    ($i:ident => $value:expr) => {{
        let mut out = [Default::default(); LANES];
        let mut $i = 0;
        while $i < LANES {
            out[$i] = $value;
            $i += 1;
        }
        out
    }};
}

impl Simd for Portable {
    type V = [f32; LANES];
    type U = [u32; LANES];
    type M = [bool; LANES];
    const PANELS: usize = 1;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        // SAFETY: the caller has sixteen floats at `p`.
        unsafe { p.cast::<[f32; LANES]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        // SAFETY: the caller has sixteen floats at `p`.
        unsafe { p.cast::<[f32; LANES]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
    #[inline(always)]
    unsafe fn prefetch_write(_: *mut f32) {}
    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self::V {
        let mut v = [0.0; LANES];
        // SAFETY: the caller has `n` floats at `p`, and `n` is at most 16.
        unsafe { std::ptr::copy_nonoverlapping(p, v.as_mut_ptr(), n) };
        v
    }
    #[inline(always)]
    unsafe fn store_first(p: *mut f32, v: Self::V, n: usize) {
        // SAFETY: the caller has `n` floats at `p`, and `n` is at most 16.
        unsafe { std::ptr::copy_nonoverlapping(v.as_ptr(), p, n) };
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => a[i] / b[i])
    }
    #[inline(always)]
    unsafe fn sqrt(a: Self::V) -> Self::V {
        lanes!(i => a[i].sqrt())
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Without the instruction, `mul_add` is a call into a library and far slower.
        if cfg!(target_arch = "aarch64") {
            lanes!(i => a[i].mul_add(b[i], c[i]))
        } else {
            lanes!(i => a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    unsafe fn max(bound: Self::V, x: Self::V) -> Self::V {
        lanes!(i => if bound[i] > x[i] { bound[i] } else { x[i] })
    }
    #[inline(always)]
    unsafe fn min(bound: Self::V, x: Self::V) -> Self::V {
        lanes!(i => if bound[i] < x[i] { bound[i] } else { x[i] })
    }
    #[inline(always)]
    unsafe fn greater(a: Self::V, b: Self::V) -> Self::M {
        lanes!(i => a[i] > b[i])
    }
    #[inline(always)]
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M {
        lanes!(i => a[i] > b[i] || a[i].is_nan())
    }
    #[inline(always)]
    unsafe fn beats(a: Self::V, b: Self::V) -> Self::M {
        lanes!(i => a[i] > b[i] || a[i].is_nan() && !b[i].is_nan())
    }
    #[inline(always)]
    unsafe fn select(mask: Self::M, a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => if mask[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn keep(mask: Self::M, v: Self::V) -> Self::V {
        lanes!(i => if mask[i] { v[i] } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn bytes_equal(p: *const u8, byte: u8) -> Self::M {
        // SAFETY: the caller has sixteen bytes at `p`.
        let bytes = unsafe { p.cast::<[u8; LANES]>().read_unaligned() };
        lanes!(i => bytes[i] == byte)
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: Self::V) {
        let bytes: [u8; LANES] = lanes!(i => v[i] as u8);
        // SAFETY: the caller has sixteen bytes at `p`.
        unsafe { p.cast::<[u8; LANES]>().write_unaligned(bytes) }
    }
    #[inline(always)]
    unsafe fn store_front(p: *mut f32, mask: Self::M, v: Self::V) {
        let mut next = 0;
        let mut i = 0;
        while i < LANES {
            // SAFETY: `next` is at most `i`, and the caller has sixteen floats at `p`.
            unsafe { p.add(next).write_unaligned(v[i]) };
            next += usize::from(mask[i]);
            i += 1;
        }
    }
    #[inline(always)]
    unsafe fn bits(mask: Self::M) -> u32 {
        let mut bits = 0;
        let mut i = 0;
        while i < LANES {
            bits |= u32::from(mask[i]) << i;
            i += 1;
        }
        bits
    }
    #[inline(always)]
    unsafe fn pow2(n: Self::V) -> Self::V {
        // 1.5 * 2^23 + n has n in its lowest bits, without a conversion that would saturate.
        lanes!(i => f32::from_bits(((n[i] + 12_582_912.0).to_bits() << 23).wrapping_add(127 << 23)))
    }
    #[inline(always)]
    unsafe fn splat_u32(x: u32) -> Self::U {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load_u32(p: *const u32) -> Self::U {
        // SAFETY: the caller has sixteen words at `p`.
        unsafe { p.cast::<[u32; LANES]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn add_u32(a: Self::U, b: Self::U) -> Self::U {
        lanes!(i => a[i].wrapping_add(b[i]))
    }
    #[inline(always)]
    unsafe fn xor_u32(a: Self::U, b: Self::U, c: Self::U) -> Self::U {
        lanes!(i => a[i] ^ b[i] ^ c[i])
    }
    #[inline(always)]
    unsafe fn mul_wide(a: Self::U, b: Self::U) -> [Self::U; 2] {
        let products: [u64; LANES] = lanes!(i => u64::from(a[i]) * u64::from(b[i]));
        [lanes!(i => (products[i] >> 32) as u32), lanes!(i => products[i] as u32)]
    }
    #[inline(always)]
    unsafe fn less_u32(a: Self::U, b: Self::U) -> Self::M {
        lanes!(i => a[i] < b[i])
    }
    #[inline(always)]
    unsafe fn sum(mut v: Self::V) -> f32 {
        let mut half = LANES / 2;
        while half > 0 {
            let mut i = 0;
            while i < half {
                v[i] += v[i + half];
                i += 1;
            }
            half /= 2;
        }
        v[0]
    }
}
