//! Room for what a training leaves.

use std::path::Path;

use tinderbox_base::units::bytes;
use tinderbox_base::{Error, Folders, Result, space};
use tinderbox_nn::{Shapes, check as check_shapes, spec};
use tinderbox_train::{OnDivergence, OptimizerKind, TrainSpec};

use super::Finding;
use super::places::nearest_existing;

/// Pictures, settings and events of a run, rounded up.
const PICTURES: u64 = 10_000_000;

/// Free space against what runs of the smallest and the largest usual network leave.
pub fn check(folders: &Folders) -> Finding {
    let Some(free) = space::free(&nearest_existing(&folders.models)) else {
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

/// Refuses to train where a run's files do not fit.
///
/// # Errors
/// If there is too little space.
pub fn require(folder: &Path, shapes: &Shapes, spec: &TrainSpec) -> Result<()> {
    let need = needed(shapes, spec);
    let existing = nearest_existing(folder);
    let Some(free) = space::free(&existing).filter(|&free| free < need) else {
        return Ok(());
    };
    Err(Error::environment(format!("too little space in `{}`", folder.display()))
        .cause(format!("{} free, and the run needs {}", bytes(free), bytes(need)))
        .hint("free some space, or give another folder with `--models`"))
}

/// What a run leaves at the most: the best model, and a checkpoint, each beside its predecessor
/// while it is written.
fn needed(shapes: &Shapes, spec: &TrainSpec) -> u64 {
    let moments = if spec.optimizer == OptimizerKind::Sgd { 1 } else { 2 };
    let rollback = spec.on_nan == OnDivergence::Rollback;
    // A checkpoint holds the weights, the optimiser's averages, the best weights, and the same of
    // the point to go back to.
    let copies = (1 + moments) * (1 + u64::from(rollback)) + 1;
    2 * (1 + copies) * 4 * shapes.parameters() + PICTURES
}

/// The same for a network of the zoo.
fn run_bytes(model: &str) -> u64 {
    let shapes = spec(model, [3, 128, 128], 10).and_then(|spec| check_shapes(&spec));
    shapes.map_or(0, |shapes| needed(&shapes, &TrainSpec::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_does_not_fit_is_refused_before_it_begins() {
        let folder = tempfile::tempdir().unwrap();
        let mut shapes = check_shapes(&spec("mlp", [3, 32, 32], 10).unwrap()).unwrap();
        require(folder.path(), &shapes, &TrainSpec::default()).unwrap();
        shapes.blocks = vec![shapes.blocks[0]; 100_000]; // 6 TB
        let error = require(folder.path(), &shapes, &TrainSpec::default()).unwrap_err();
        assert!(error.cause.unwrap().contains("the run needs"));
    }
}
