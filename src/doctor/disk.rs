//! Room for what a training leaves.

use super::Finding;
use super::places::nearest_existing;
use crate::base::files;
use crate::base::units::bytes;
use crate::config::Folders;
use crate::model::{check as check_shapes, spec};

/// Pictures, settings and events of a run, rounded up.
const PICTURES: u64 = 10_000_000;

/// Free space against what runs of the smallest and the largest usual network leave.
pub fn check(folders: &Folders) -> Finding {
    let Some(free) = files::free_space(&nearest_existing(&folders.models)) else {
        return Finding::ok("disk", "free space is not known here");
    };
    let [small, large] = ["cnn", "resnet18"].map(run_bytes);
    let message = format!(
        "{} free for `{}`; a run of `resnet18` leaves about {}",
        bytes(free),
        folders.models.display(),
        bytes(large)
    );
    match free {
        _ if free < small => Finding::fail("disk", message).fix("free some space"),
        _ if free < large => Finding::warn("disk", message).fix("free some space, or train `cnn`"),
        _ => Finding::ok("disk", message),
    }
}

/// The best model, and a checkpoint that holds each weight three times more (itself and the two
/// averages of Adam), each beside its predecessor while it is written.
fn run_bytes(model: &str) -> u64 {
    let shapes = spec(model, [3, 128, 128], 10).and_then(|spec| check_shapes(&spec));
    let weights = shapes.map_or(0, |shapes| shapes.parameters() * 4);
    2 * (weights + 4 * weights) + PICTURES
}
