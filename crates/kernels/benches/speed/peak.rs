//! What the CPU can do at best, on all threads of the pool.

use std::hint::black_box;
use std::time::Instant;

use tinderbox_kernels::{Isa, parallel, peak};

/// Rounds of multiply-adds in a piece of work: about a millisecond.
const ROUNDS: usize = 200_000;
/// Floats of an array to copy, 256 MB: no cache holds it.
const COPIED: usize = 64 << 20;
/// Floats that a piece of work copies.
const PIECE: usize = 1 << 20;
/// The best of so many times counts.
const TIMES: usize = 10;

/// Floating-point operations a second.
pub fn operations_per_second(isa: Isa) -> f64 {
    let pieces = 16 * rayon::current_num_threads();
    let operations = peak::multiply_add(isa, ROUNDS).0 * pieces;
    operations as f64
        / best(|| {
            parallel::for_each(pieces, |_| {
                black_box(peak::multiply_add(isa, black_box(ROUNDS)));
            });
        })
}

/// Bytes a second that a copy reads and writes.
pub fn bytes_per_second() -> f64 {
    let (from, mut to) = (vec![1.0_f32; COPIED], vec![0.0_f32; COPIED]);
    let bytes = 2 * size_of_val(&from[..]);
    let shared = parallel::Shared::new(&mut to);
    bytes as f64
        / best(|| {
            parallel::for_each(COPIED / PIECE, |piece| {
                let range = piece * PIECE..(piece + 1) * PIECE;
                // SAFETY: every piece has floats of its own.
                unsafe { shared.part(range.clone()) }.copy_from_slice(&from[range]);
            });
            black_box(&shared);
        })
}

fn best(work: impl Fn()) -> f64 {
    let seconds = (0..TIMES).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}
