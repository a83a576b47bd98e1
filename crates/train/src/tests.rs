//! Whole trainings on a disk that fails.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tinderbox_base::settings::Interval;
use tinderbox_base::{Result, Silent, faults, files};
use tinderbox_data::{LoaderSpec, Order, Sample, Samples, Source, Store};
use tinderbox_image::{Augmentation, Preprocessing};
use tinderbox_nn::{Context, Network, spec};

use crate::{
    End, Job, Keeping, Learning, ModelCard, OnDivergence, OptimizerKind, Outcome, Rule,
    RunDirectory, Saved, Schedule, ScheduleKind, SingleLabel, Splits, train,
};

const SIDE: usize = 6;
const CLASSES: usize = 3;
const IMAGES: usize = 14;
const INPUT: [usize; 3] = [1, SIDE, SIDE];

fn work(batch: usize, seed: Option<u64>) -> LoaderSpec {
    let data = (0..IMAGES * SIDE * SIDE).map(|i| (i * i * 31 % 251) as u8).collect();
    let store = Arc::new(Store::new([SIDE, SIDE, 1], || data));
    let sample = |i: usize| Sample {
        key: i.to_string().into(),
        label: ((i % CLASSES) as u32).into(),
        group: None,
        source: Source::Memory(Arc::clone(&store), i),
    };
    LoaderSpec {
        samples: Samples::new((0..IMAGES).map(sample).collect::<Vec<_>>(), CLASSES),
        order: Order { seed, ..Order::plain(IMAGES, batch) },
        augmentation: Augmentation { shift: 0.2, mixup: 0.5, ..Augmentation::NONE },
        preprocessing: preprocessing(),
        most_bytes: 1 << 20,
    }
}

fn preprocessing() -> Preprocessing {
    let [channels, height, width] = INPUT;
    Preprocessing { channels, height, width, crop: 1.0, mean: vec![0.5], std: vec![0.25] }
}

fn learning() -> Learning {
    let kind = OptimizerKind::Adamw;
    let steps_per_epoch = IMAGES.div_ceil(4);
    Learning {
        seed: 0,
        batch: 4,
        micro_batch: 4,
        schedule: Schedule {
            kind: ScheduleKind::Cosine,
            peak: 0.003,
            warmup: 1.0,
            epochs: 3,
            steps_per_epoch,
        },
        rule: Rule { kind, momentum: 0.9, weight_decay: 0.01, clip: 0.0 },
        patience: 0,
        on_divergence: OnDivergence::Rollback,
    }
}

fn job(learning: Learning, directory: Option<RunDirectory>) -> Job<SingleLabel> {
    let classes: Vec<String> = (0..CLASSES).map(|class| class.to_string()).collect();
    Job {
        task: SingleLabel::new(&classes),
        splits: Splits {
            train: work(learning.batch, Some(0)),
            val: work(4, None),
            threads: 2,
            max_bad: 0.05,
        },
        learning,
        params: None,
        context: Context::cpu(),
        audit_every: 0,
        card: ModelCard {
            classes,
            preprocessing: preprocessing(),
            dataset_hash: String::new(),
            settings: toml::Table::new(),
        },
        keeping: Keeping {
            directory,
            every: Interval::Steps(2),
            retry_for: Duration::from_millis(50),
            ..Keeping::default()
        },
    }
}

type Trained = Outcome<Network, SingleLabel>;

fn run(job: &Job<SingleLabel>) -> Result<Trained> {
    go_on(None, job)
}

fn go_on(from: Option<Saved>, job: &Job<SingleLabel>) -> Result<Trained> {
    let network = Network::new(&spec("mlp", INPUT, CLASSES)?, 0, job.context.device())?;
    train(network, from, job, &mut Silent)
}

/// A training of this many epochs.
fn of(epochs: usize) -> Learning {
    let learning = learning();
    Learning { schedule: Schedule { epochs, ..learning.schedule }, ..learning }
}

/// Enough epochs for many checkpoints, however long writing one takes.
fn long() -> Learning {
    of(20)
}

/// Goes on with what is in the folder, to the end.
fn resume(folder: &Path, learning: Learning) -> Trained {
    let folder = RunDirectory::new(folder);
    let saved = folder.checkpoint_file().exists().then(|| folder.read().unwrap());
    let outcome = go_on(saved, &job(learning, Some(folder))).unwrap();
    assert_eq!(outcome.end, End::Finished);
    outcome
}

/// Both files; that no other is there is checked.
fn content(folder: &Path) -> [Vec<u8>; 2] {
    let names = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(names, 2, "temporary files are left in {}", folder.display());
    let folder = RunDirectory::new(folder);
    [folder.model_file(), folder.checkpoint_file()].map(|path| files::read(&path).unwrap())
}

/// The files of a training on a good disk, and how many operations it has there.
fn undisturbed() -> ([Vec<u8>; 2], usize) {
    let folder = tempfile::tempdir().unwrap();
    faults::fail(folder.path(), |_| false);
    resume(folder.path(), long());
    (content(folder.path()), faults::count(folder.path()))
}

#[test]
fn an_operation_that_fails_once_is_tried_again_and_changes_no_bit() {
    let (expected, operations) = undisturbed();
    assert!(operations > 20, "{operations}");
    for n in 0..operations {
        let folder = tempfile::tempdir().unwrap();
        faults::fail(folder.path(), move |operation| operation == n);
        resume(folder.path(), long());
        assert!(content(folder.path()) == expected, "operation {n} of {operations}");
    }
}

#[test]
fn a_disk_that_stays_broken_ends_the_training_and_keeps_the_last_checkpoint() {
    let (expected, operations) = undisturbed();
    for n in (0..operations).step_by(if cfg!(debug_assertions) { 7 } else { 1 }) {
        let folder = tempfile::tempdir().unwrap();
        faults::fail(folder.path(), move |operation| operation >= n);
        let result = run(&job(long(), Some(RunDirectory::new(folder.path()))));
        let Err(error) = result else {
            // Which checkpoints are written depends on how long each takes.
            assert!(faults::count(folder.path()) <= n, "operation {n} failed, and nobody said so");
            continue;
        };
        assert_eq!(error.fault.exit_code(), 1, "{error:?}");
        assert!(error.cause.as_ref().unwrap().contains("is lost"), "{error:?}");
        assert!(error.hint.as_ref().unwrap().contains("--resume"), "{error:?}");
        faults::fail(folder.path(), |_| false);
        resume(folder.path(), long());
        assert!(content(folder.path()) == expected, "operation {n} of {operations}");
    }
}

#[test]
fn parts_of_a_batch_add_up_to_it() {
    let losses = |micro_batch: Option<usize>| {
        let micro_batch = micro_batch.unwrap_or(4);
        let outcome = run(&job(Learning { micro_batch, ..learning() }, None)).unwrap();
        let history = outcome.state.history.into_iter();
        history.map(|epoch| [epoch.train_loss, epoch.val_loss]).collect::<Vec<_>>().concat()
    };
    let whole = losses(None);
    for micro_batch in [1, 3, 4, 100] {
        for (a, b) in losses(Some(micro_batch)).iter().zip(&whole) {
            assert!((a - b).abs() < 1e-4 * b, "{micro_batch}: {a} instead of {b}");
        }
    }
}

#[test]
fn a_training_that_diverges_goes_back_with_a_lower_rate_or_stops() {
    let wild = |on_divergence| {
        let schedule = Schedule { peak: 1e3, warmup: 0.0, ..of(6).schedule };
        Learning { schedule, on_divergence, ..learning() }
    };
    let error = run(&job(wild(OnDivergence::Stop), None)).unwrap_err();
    assert!(error.hint.as_ref().unwrap().contains("--on-nan rollback"), "{error:?}");
    let folder = tempfile::tempdir().unwrap();
    match run(&job(wild(OnDivergence::Rollback), Some(RunDirectory::new(folder.path())))) {
        Ok(outcome) => {
            let state = outcome.state;
            assert!(state.rollbacks > 0);
            assert_eq!(state.rate_scale.to_bits(), 0.5f64.powi(state.rollbacks as i32).to_bits());
        }
        Err(error) => assert!(error.cause.unwrap().contains("after going back 5 times")),
    }
}
