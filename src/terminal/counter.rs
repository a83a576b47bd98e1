//! How far something is that counts: a bar on a terminal, elsewhere a line every few seconds.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tinderbox_base::env::{Stopwatch, time_of_day};
use tinderbox_base::units::thousands;

use super::Verbosity;

/// Seconds between two plain lines.
const PLAIN_INTERVAL: f64 = 10.0;

/// Tells people how far a count is; from any thread.
#[derive(Debug)]
pub struct Counter {
    doing: &'static str,
    all: usize,
    bar: Option<ProgressBar>,
    last_line: Option<Mutex<Stopwatch>>,
}

impl Counter {
    /// A count from 0 to `all`.
    #[must_use]
    pub fn start(verbosity: Verbosity, doing: &'static str, all: usize) -> Self {
        let speaks = verbosity > Verbosity::Quiet;
        let bar = (speaks && std::io::stderr().is_terminal()).then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            let bar = ProgressBar::with_draw_target(Some(all as u64), target);
            let template =
                "{prefix}  {wide_bar} {percent:>3}%   {human_pos} of {human_len}   {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.set_prefix(doing);
            bar
        });
        let plain = speaks && bar.is_none();
        Self { doing, all, bar, last_line: plain.then(|| Mutex::new(Stopwatch::start())) }
    }

    /// So much is done.
    pub fn at(&self, done: usize) {
        if let Some(bar) = &self.bar {
            // Threads may come out of order.
            if done as u64 > bar.position() {
                bar.set_position(done as u64);
            }
        }
        let Some(Ok(mut last)) = self.last_line.as_ref().map(Mutex::try_lock) else { return };
        if last.seconds() > PLAIN_INTERVAL {
            let (time, all) = (time_of_day(), thousands(self.all as u64));
            let done = thousands(done as u64);
            let _ = writeln!(anstream::stderr(), "{time} {} {done} of {all}", self.doing);
            *last = Stopwatch::start();
        }
    }

    /// The bar goes.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
