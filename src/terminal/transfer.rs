//! How far a download or an unpacking is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tinderbox_base::env::{Stopwatch, time_of_day};
use tinderbox_base::units::{bytes, clock};

use super::Verbosity;

/// Seconds between two plain lines of progress.
const PLAIN_INTERVAL: f64 = 10.0;

/// Tells people on stderr how far a transfer is.
#[derive(Debug)]
pub struct Transfer {
    verbosity: Verbosity,
    bar: Option<ProgressBar>,
    what: String,
    total: u64,
    /// Where it was when it began: what was there already took no time.
    first: Option<u64>,
    started: Stopwatch,
    last_line: Stopwatch,
}

impl Transfer {
    /// With a bar where stderr is a terminal.
    #[must_use]
    pub fn new(verbosity: Verbosity) -> Self {
        let bar = (std::io::stderr().is_terminal() && verbosity > Verbosity::Quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            if let Ok(style) = ProgressStyle::with_template("{msg}  {wide_bar} {percent:>3}%") {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar
        });
        Self {
            verbosity,
            bar,
            what: String::new(),
            total: 0,
            first: None,
            started: Stopwatch::start(),
            last_line: Stopwatch::start(),
        }
    }

    /// A line for people.
    pub fn say(&self, line: &str) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        let write = || {
            // A reader that went away is no reason to stop.
            let _ = writeln!(anstream::stderr(), "{line}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Something of `total` bytes begins.
    pub fn begin(&mut self, what: &str, total: u64) {
        what.clone_into(&mut self.what);
        (self.total, self.first) = (total, None);
        (self.started, self.last_line) = (Stopwatch::start(), Stopwatch::start());
        match &self.bar {
            Some(bar) => {
                bar.set_length(total);
                bar.set_position(0);
                bar.set_message(what.to_owned());
            }
            None => self.say(&format!("{} {what}, {}", time_of_day(), bytes(total))),
        }
    }

    /// So many bytes of it are done.
    pub fn at(&mut self, done: u64) {
        let first = *self.first.get_or_insert(done);
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(format!("{}   {}", self.what, self.speed(first, done)));
        } else if self.last_line.seconds() > PLAIN_INTERVAL {
            let percent = done.saturating_mul(100) / self.total.max(1);
            let speed = self.speed(first, done);
            self.say(&format!("{} {} {percent}%  {speed}", time_of_day(), self.what));
            self.last_line = Stopwatch::start();
        }
    }

    fn speed(&self, first: u64, done: u64) -> String {
        let seconds = self.started.seconds();
        let speed = done.saturating_sub(first) as f64 / seconds.max(1e-3);
        if seconds < 1.0 || speed < 1.0 {
            return String::new();
        }
        let left = self.total.saturating_sub(done) as f64 / speed;
        format!("{}/s   {} left", bytes(speed as u64), clock(left))
    }

    /// The bar goes.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
