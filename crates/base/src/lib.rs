//! What every crate stands on: errors, files, random draws, events, settings, hashes, units, the clock.
#![warn(missing_docs)]

pub mod draw;
pub mod env;
mod error;
mod events;
pub mod faults;
pub mod files;
mod folders;
pub mod lock;
pub mod log;
pub mod process;
pub mod settings;
pub mod signals;
pub mod space;
pub mod units;

pub use error::{Error, Fault, Result};
pub use events::{Event, Events, Progress, Score, Silent};
pub use folders::Folders;

/// The candidate that is spelled most like `wanted`, when one is close enough to be a slip.
#[must_use]
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|name| {
            (strsim::damerau_levenshtein(&wanted.to_lowercase(), &name.to_lowercase()), name)
        })
        .filter(|(distance, name)| *distance <= 2.max(name.chars().count() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The middle of `values` (of an even number the upper one); none of nothing.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// BLAKE3 of `bytes`.
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// BLAKE3 of `bytes`, as lower-case hexadecimal.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let names = ["mlp", "lenet", "cnn", "resnet18"];
        assert_eq!(nearest("resnet-18", names), Some("resnet18"));
        assert_eq!(nearest("LeNet5", names), Some("lenet"));
        assert_eq!(nearest("transformer", names), None);
    }
}
