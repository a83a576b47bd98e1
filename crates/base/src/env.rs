//! The environment and the clock. Only this file and `config` look at either.

#![allow(clippy::disallowed_methods)] // this is the room they are allowed in

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The value of an environment variable, when it is set, not empty and UTF-8.
#[must_use]
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Seconds since 1970, for records of what happened when; never for anything that trains.
#[must_use]
pub fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

/// The time of day in UTC as `10:02:11`.
#[must_use]
pub fn time_of_day() -> String {
    let s = unix_seconds() as u64 % 86_400;
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// The moment as `2026-11-24T10:02:11Z`.
#[must_use]
pub fn timestamp() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// A running stopwatch.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// A stopwatch that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the start.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Waits.
pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// How many threads this process may keep busy: cores, less what a container's quota takes.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The largest amount of memory this process has held so far, in bytes (Linux only).
#[must_use]
pub fn peak_memory() -> Option<u64> {
    kibibytes(&proc_field("/proc/self/status", "VmHWM:")?)
}

/// What stands behind `name` in a file of `/proc` (Linux only).
#[must_use]
pub fn proc_field(path: &str, name: &str) -> Option<String> {
    let text = crate::files::read_text(path.as_ref()).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

/// `12 kB`, as files of `/proc` say it, in bytes.
#[must_use]
pub fn kibibytes(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
