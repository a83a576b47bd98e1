//! The renderings. Progress and log go to stderr; results are no business of this module.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value};
use tinderbox_base::env::{Stopwatch, time_of_day, unix_seconds};
use tinderbox_base::log::Log;
use tinderbox_base::units::{clock, list, percent, plural, thousands};
use tinderbox_base::{Error, Event, Events, Progress, Result};

use super::Verbosity;
use super::lines::{line, name};

/// Seconds between two messages that nothing comes.
const LATE: u64 = 30;

/// The skipped samples that are named; the rest are counted.
const NAMED_SAMPLES: usize = 3;

/// Seconds between two plain lines of progress.
const PLAIN_INTERVAL: f64 = 10.0;

/// Tells people and `events.jsonl` what happens.
#[derive(Debug)]
pub struct Reporter {
    verbosity: Verbosity,
    bar: Option<ProgressBar>,
    log: Option<Log>,
    last_line: Stopwatch,
    skipped: Vec<String>,
}

impl Reporter {
    /// A reporter on stderr: with a bar where it is a terminal.
    #[must_use]
    pub fn new(verbosity: Verbosity) -> Self {
        let bar = (std::io::stderr().is_terminal() && verbosity > Verbosity::Quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let template = "epoch {prefix}  {wide_bar} {percent:>3}%   {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar
        });
        Self { verbosity, bar, log: None, last_line: Stopwatch::start(), skipped: Vec::new() }
    }

    /// Also writes every event to a log from now on.
    pub fn log_to(&mut self, log: Log) {
        self.log = Some(log);
    }

    /// A line for people.
    pub fn say(&self, line: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.print(line);
        }
    }

    /// Says that nothing came from the data set for so many seconds, every [`LATE`] of them. Storage
    /// that does not answer, such as a network's, blocks whoever reads it: nothing but a message is
    /// possible.
    pub fn late(&self, seconds: u64) {
        if seconds > 0 && seconds.is_multiple_of(LATE) {
            self.say(&format!(
                "warning: no images for {seconds} seconds: the data set's storage is slow or does not answer; still waiting"
            ));
        }
    }

    /// A line for people who asked for more.
    pub fn detail(&self, line: &str) {
        if self.verbosity >= Verbosity::Verbose {
            self.print(line);
        }
    }

    fn print(&self, line: &str) {
        let write = || {
            // A reader that went away is no reason to stop a training.
            let _ = writeln!(anstream::stderr(), "{line}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// The loop is over: the bar goes, and skipped samples are counted.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if !self.skipped.is_empty() {
            let count = plural(self.skipped.len(), "image was", "images were");
            let names = list(&self.skipped, NAMED_SAMPLES);
            self.say(&format!("warning: {count} skipped: {names}; `events.jsonl` says why"));
        }
        self.skipped.clear();
        if let Some(Err(error)) = self.log.as_mut().map(Log::write) {
            self.say(&format!("warning: {error}: the last events are not in it"));
        }
    }
}

impl Events for Reporter {
    /// A log that cannot be written now is written with a later event.
    fn event(&mut self, event: &Event) -> Result<()> {
        let wanted = match event {
            Event::SampleQuarantined { path, .. } => {
                self.skipped.push(path.clone());
                self.skipped.len() <= NAMED_SAMPLES || self.verbosity == Verbosity::Verbose
            }
            _ => true,
        };
        if let Some(line) = line(event).filter(|_| wanted) {
            let timed = self.bar.is_none() && matches!(event, Event::EpochFinished { .. });
            self.say(&if timed { format!("{} {line}", time_of_day()) } else { line });
            self.last_line = Stopwatch::start();
        }
        let Some(log) = &mut self.log else { return Ok(()) };
        let failed = |cause| Error::failed("cannot write an event").cause(cause);
        let mut object = Map::new();
        object.insert("v".to_owned(), 1.into());
        object.insert("time".to_owned(), unix_seconds().into());
        if let Value::Object(fields) = serde_json::to_value(event).map_err(failed)? {
            object.extend(fields);
        }
        log.line(&Value::Object(object).to_string());
        Ok(())
    }

    fn progress(&mut self, at: &Progress) {
        let message = || {
            format!(
                "loss {:.3}   {}{} images/s   {} left",
                at.loss,
                at.val_score.map_or(String::new(), |score| {
                    format!("{} {}   ", name(score), percent(score.value))
                }),
                thousands(at.images_per_second.round() as u64),
                clock(at.seconds_left)
            )
        };
        let epoch = at.epoch + 1;
        if let Some(bar) = &self.bar {
            bar.set_length(at.steps as u64);
            bar.set_prefix(format!(
                "{epoch:>width$}/{}",
                at.epochs,
                width = at.epochs.to_string().len()
            ));
            bar.set_message(message());
            bar.set_position(at.step as u64);
        } else if self.last_line.seconds() > PLAIN_INTERVAL {
            let percent = at.step * 100 / at.steps.max(1);
            self.say(&format!(
                "{} epoch {epoch}/{} {percent}%  {}",
                time_of_day(),
                at.epochs,
                message()
            ));
            self.last_line = Stopwatch::start();
        }
    }

    fn say(&mut self, line: &str) {
        Reporter::say(self, line);
    }

    fn late(&mut self, seconds: u64) {
        Reporter::late(self, seconds);
    }
}
