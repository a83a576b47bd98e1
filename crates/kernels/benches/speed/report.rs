//! The table of shares.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use tinderbox_kernels::Isa;

use crate::peak;

/// What a kernel does, and so what it is measured by.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Floating-point operations.
    Operations(usize),
    /// Bytes that it must read and write.
    Bytes(usize),
}

struct Line {
    kernel: &'static str,
    case: String,
    isa: Isa,
    work: Work,
    times: Vec<Duration>,
}

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());

/// Has divan measure `run`, and keeps the times for the table.
pub fn measure(
    bencher: Bencher,
    (kernel, case): (&'static str, &str),
    isa: Isa,
    work: Work,
    mut run: impl FnMut(),
) {
    let mut times = Vec::new();
    let timed = || {
        let start = Instant::now();
        run();
        times.push(start.elapsed());
    };
    match work {
        Work::Operations(count) => bencher.counter(ItemsCount::new(count)).bench_local(timed),
        Work::Bytes(count) => bencher.counter(BytesCount::new(count)).bench_local(timed),
    }
    let line = Line { kernel, case: case.to_owned(), isa, work, times };
    if let Ok(mut lines) = LINES.lock() {
        lines.push(line);
    }
}

/// Measures the peaks and prints a line for each measurement.
pub fn print() {
    let Ok(mut lines) = LINES.lock() else { return };
    lines.retain(|line| !line.times.is_empty());
    if lines.is_empty() {
        return;
    }
    let peaks: Vec<(Isa, f64)> =
        Isa::available().into_iter().map(|isa| (isa, peak::operations_per_second(isa))).collect();
    let copy = peak::bytes_per_second();
    println!();
    for (isa, peak) in &peaks {
        println!("peak of multiply-adds with {}: {:.0} GFLOP/s", isa.name(), peak / 1e9);
    }
    println!("copying: {:.1} GB/s\n", copy / 1e9);
    println!("{:<24} {:<44} {:>10} {:>16} {:>8}", "kernel", "shape", "median ms", "speed", "share");
    for Line { kernel, case, isa, work, times } in lines.iter_mut() {
        times.sort_unstable();
        let seconds = times[times.len() / 2].as_secs_f64();
        let (speed, unit, best) = match *work {
            Work::Operations(count) => {
                let peak = peaks.iter().find(|(of, _)| of == isa).map_or(f64::NAN, |(_, p)| *p);
                (count as f64 / seconds, "GFLOP/s", peak)
            }
            Work::Bytes(count) => (count as f64 / seconds, "GB/s", copy),
        };
        let (ms, giga, share) = (seconds * 1e3, speed / 1e9, speed / best);
        println!("{kernel:<24} {case:<44} {ms:>10.3} {giga:>8.1} {unit:<7} {:>7.0}%", share * 1e2);
    }
}
