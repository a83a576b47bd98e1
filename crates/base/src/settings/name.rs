//! What [`settings!`](crate::settings!) needs at compile time; nothing to call by hand.

pub use super::setting::value;

/// The name of a field as people type it: `max_bad` becomes `max-bad`. `N` is its length.
#[must_use]
pub const fn kebab<const N: usize>(field: &str) -> [u8; N] {
    let mut name = [b'-'; N];
    let mut at = 0;
    while at < N {
        if field.as_bytes()[at] != b'_' {
            name[at] = field.as_bytes()[at];
        }
        at += 1;
    }
    name
}

/// The text of what [`kebab`] made.
///
/// # Panics
/// If it is no text, at compile time.
#[must_use]
pub const fn text(name: &'static [u8]) -> &'static str {
    match std::str::from_utf8(name) {
        Ok(text) => text,
        Err(_) => panic!("the name of a field is text"),
    }
}
