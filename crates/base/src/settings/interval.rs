//! How often something is done.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often the state is saved: `auto`, `100` steps, `30s`, `5m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Interval {
    /// After every epoch, and every five minutes.
    Auto,
    /// After so many steps.
    Steps(usize),
    /// After so much time.
    Time(Duration),
}

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || {
            format!("`{text}` is neither `auto` nor steps (`100`) nor a time (`30s`, `5m`, `1h`)")
        };
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: u64 = digits.parse().map_err(|_| bad())?;
        let seconds = match &text[digits.len()..] {
            "" => 0,
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(bad()),
        };
        match number.checked_mul(seconds.max(1)) {
            None | Some(0 | 1_000_000_000..) => Err(bad()),
            Some(steps) if seconds == 0 => Ok(Self::Steps(steps as usize)),
            Some(seconds) => Ok(Self::Time(Duration::from_secs(seconds))),
        }
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        match interval {
            Interval::Auto => "auto".to_owned(),
            Interval::Steps(steps) => steps.to_string(),
            Interval::Time(time) => format!("{}s", time.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_steps_or_times() {
        let read = |text: &str| Interval::try_from(text.to_owned());
        assert_eq!(read("auto"), Ok(Interval::Auto));
        assert_eq!(read("12"), Ok(Interval::Steps(12)));
        assert_eq!(read("90s"), Ok(Interval::Time(Duration::from_secs(90))));
        assert_eq!(read("2m"), read("120s"));
        for bad in
            ["", "0", "0s", "-3", "5 m", "5d", "s", "1.5m", "99999999999999999999", "277778h"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        for good in ["auto", "7", "30s", "999999999s"] {
            assert_eq!(String::from(read(good).unwrap()), good);
        }
    }
}
