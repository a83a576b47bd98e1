//! Numbers and names as people read them.

use std::borrow::Cow;

/// `1234567` as `1,234,567`.
#[must_use]
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size in bytes with a decimal unit: `140 kB`, `4.7 MB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    scaled(n as f64, 1000.0, &["bytes", "kB", "MB", "GB", "TB"])
}

/// A count with a unit prefix: `4.9 M`, `312 k`.
#[must_use]
pub fn count(n: u64) -> String {
    scaled(n as f64, 1000.0, &["", "k", "M", "G", "T"]).trim_end().to_owned()
}

fn scaled(mut value: f64, base: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= base * 0.9995 && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 9.95);
    format!("{value:.digits$} {}", units[unit])
}

/// A fraction as a percentage with one digit: `0.8821` as `88.2%`.
#[must_use]
pub fn percent(fraction: f64) -> String {
    format!("{:.1}%", fraction * 100.0)
}

/// Seconds as `1.4 s`, `21 s`, `3:07` or `1:02:03`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 59.5 {
        format!("{seconds:.0} s")
    } else {
        clock(seconds)
    }
}

/// Seconds as on a clock: `0:11`, `3:07`, `1:02:03`.
#[must_use]
pub fn clock(seconds: f64) -> String {
    let s = seconds.round().max(0.0) as u64;
    if s < 3600 {
        format!("{}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// `1 class`, `10 classes`: `plural(10, "class", "classes")`.
#[must_use]
pub fn plural(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n as u64), if n == 1 { one } else { many })
}

/// At most `most` names in backticks, and how many more there are.
#[must_use]
pub fn list<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let mut shown: Vec<String> =
        names.iter().take(most).map(|name| format!("`{}`", printable(name.as_ref()))).collect();
    if names.len() > most {
        shown.push(format!("{} more", thousands((names.len() - most) as u64)));
    }
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

/// A name without characters that would move a cursor.
#[must_use]
pub fn printable(name: &str) -> Cow<'_, str> {
    if name.contains(char::is_control) {
        Cow::Owned(name.replace(char::is_control, "?"))
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_scaled() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(140_123), "140 kB");
        assert_eq!(bytes(4_700_000), "4.7 MB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(count(34_826), "35 k");
    }

    #[test]
    fn durations_change_their_form_with_length() {
        assert_eq!(duration(1.44), "1.4 s");
        assert_eq!(duration(21.2), "21 s");
        assert_eq!(duration(59.6), "1:00");
        assert_eq!(duration(3723.0), "1:02:03");
    }

    #[test]
    fn lists_name_a_few_and_count_the_rest() {
        assert_eq!(list(&["a", "b", "c"], 2), "`a`, `b`, 1 more");
        assert_eq!(list::<&str>(&[], 2), "none");
    }
}
