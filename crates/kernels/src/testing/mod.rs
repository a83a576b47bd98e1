//! What the tests of all kernels share.

mod guard;

use proptest::test_runner::Config;

pub(crate) use guard::{At, Guarded};

use crate::Isa;
use crate::draw::{philox, unit};

/// How a test runs a kernel: on an instruction set, with one end of every slice at a forbidden page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    pub(crate) isa: Isa,
    pub(crate) at: At,
}

impl Trial {
    /// Every instruction set with either end.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Isa::available().into_iter().flat_map(|isa| At::BOTH.map(|at| Self { isa, at }))
    }

    /// A kernel's input.
    pub(crate) fn copy<T: Copy + Default>(self, from: &[T]) -> Guarded<T> {
        guard::copy_of(from, self.at)
    }

    /// A kernel's inputs.
    pub(crate) fn copies<const N: usize>(self, from: [&[f32]; N]) -> [Guarded<f32>; N] {
        from.map(|from| self.copy(from))
    }

    /// A kernel's output: floats that it has to replace.
    pub(crate) fn output(self, len: usize) -> Guarded<f32> {
        Guarded::new(len, f32::NAN, self.at)
    }
}

/// How many random shapes a property is tried on: as many as `TINDERBOX_TEST_CASES` says, else many
/// where `TINDERBOX_LONG_TESTS` is set.
pub(crate) fn cases() -> Config {
    let given = std::env::var_os("TINDERBOX_TEST_CASES");
    let cases = match given.as_ref().and_then(|given| given.to_str()?.parse().ok()) {
        Some(cases) => cases,
        None if std::env::var_os("TINDERBOX_LONG_TESTS").is_some() => 2000,
        None => 24,
    };
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// `len` numbers between -1 and 1, a function of `seed`.
pub(crate) fn floats(seed: u32, len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| unit(philox([i, 0, 0, 0], [seed, 1])[0]) * 2.0 - 1.0).collect()
}

/// Absolute values: the reference on them is the sum of the sizes of all products, which bounds the
/// rounding error of any order of summation.
pub(crate) fn sizes(x: &[f32]) -> Vec<f32> {
    x.iter().map(|x| x.abs()).collect()
}

/// Checks that each fast result is within `terms` roundings of the exact one, where `size` is the
/// sum of the sizes of what was added up: |fast - exact| <= terms * 2^-24 * size.
pub(crate) fn assert_close(what: &str, fast: &[f32], exact: &[f64], size: &[f64], terms: usize) {
    assert_eq!(fast.len(), exact.len(), "{what}: length");
    for (i, ((&fast, &exact), &size)) in fast.iter().zip(exact).zip(size).enumerate() {
        let bound = terms as f64 * 2f64.powi(-24) * size + 1e-30;
        let error = (f64::from(fast) - exact).abs();
        assert!(error <= bound, "{what}: element {i} is {fast}, should be {exact} +- {bound}");
    }
}

/// Checks that `work` answers the same bits on pools of 1, 2 and 7 threads.
pub(crate) fn assert_same_bits(what: &str, work: impl Fn() -> Vec<f32> + Sync + Send) {
    let mut first = None;
    for threads in [1, 2, 7] {
        let pool = crate::parallel::ThreadPool::new(threads).unwrap();
        let bits: Vec<u32> = pool.install(&work).into_iter().map(f32::to_bits).collect();
        let first = first.get_or_insert_with(|| bits.clone());
        assert!(*first == bits, "{what}: {threads} threads give other bits than one");
    }
}
