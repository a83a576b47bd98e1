//! How fast each kernel is, in GFLOP/s and as a share of what the CPU can do at best, which is
//! measured in the same run; kernels that are bound by memory in GB/s and as a share of copying.
//!
//! ```text
//! cargo bench -p tinderbox-kernels                          all, some minutes
//! cargo bench -p tinderbox-kernels -- direct_forward        one kernel
//! cargo bench -p tinderbox-kernels -- AVX-512               one instruction set
//! RAYON_NUM_THREADS=1 cargo bench -p tinderbox-kernels      on one thread
//! ```
//!
//! Divan prints its own table first (operations appear there as `item`), then comes the table of
//! shares, from the median of the same samples. A new kernel is one line in a `kernels!` table, a
//! new shape one line in a list.
//!
//! Operations are those of a direct computation, taps in the padding included, two for each
//! multiplication and addition. The Winograd form executes fewer: its share can be above one.

#![allow(clippy::print_stdout, clippy::disallowed_methods)] // a measurement, for people
#![allow(missing_docs)] // divan makes functions of its own

/// `name: cases, work, what runs;` for each kernel. The module that uses it has a `Shape` and its
/// `Data`.
macro_rules! kernels {
    ($($name:ident: $cases:expr, $work:expr, $run:expr;)*) => {$(
        #[divan::bench(args = $crate::cases::with_instructions($cases))]
        fn $name(bencher: divan::Bencher, case: &$crate::cases::Case<Shape>) {
            let run: fn(tinderbox_kernels::Isa, &Shape, &mut Data) = $run;
            let work: $crate::report::Work = $work(&case.shape);
            let mut data = Data::new(&case.shape);
            let what = (stringify!($name), &*case.to_string());
            $crate::report::measure(bencher, what, case.isa, work, || {
                run(case.isa, &case.shape, &mut data);
            });
        }
    )*};
}

mod cases;
mod convolution;
mod layers;
mod peak;
mod pooled;
mod report;

use std::time::Duration;

/// Divan's own limit is a hundred samples, which are minutes for the large shapes.
const LONGEST: Duration = Duration::from_millis(500);

fn main() {
    divan::Divan::default().max_time(LONGEST).config_with_args().main();
    // Without it, cargo wants to know only whether everything runs.
    if std::env::args().any(|argument| argument == "--bench") {
        report::print();
    }
}
