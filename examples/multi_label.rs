//! A task of a library user: several labels an image. Pictures of bars are drawn in memory; a network of
//! the zoo learns by binary cross entropy which bars a picture shows, and the mean average precision
//! decides which epoch is the best.
//!
//! `cargo run --release --example multi_label`

#![allow(clippy::print_stderr)] // an example talks to whoever runs it

use std::sync::Arc;

use burn::tensor::activation::softplus;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use tinderbox::base::draw::{Draw, Purpose};
use tinderbox::base::{Error, Folders, Result, Silent};
use tinderbox::data::{Dataset, Label, Labels, Lock, Sample, Source, Store, add_missing_splits};
use tinderbox::nn::{Context, Kernels, Network, spec};
use tinderbox::train::{
    Job, Machine, Settings, Task, Verdict, evaluation_loader, resolve, train, training_loader,
};

/// Any number of classes an image.
#[derive(Clone)]
struct MultiLabel {
    classes: usize,
}

/// The figures of a split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Figures {
    loss: f64,
    mean_average_precision: f64,
}

impl Task for MultiLabel {
    /// Logits, and which classes are there.
    type Prediction = (Vec<f32>, Vec<bool>);
    type Scores = Figures;

    fn outputs(&self) -> usize {
        self.classes
    }

    /// `+w` for a class that is there and `-w` for one that is not, where the `w` of a batch add up to 1:
    /// so the losses of a batch's parts add up to its own.
    fn targets(&self, labels: &Labels, _mixing: f32, device: &Device) -> Tensor<2> {
        let weight = 1.0 / (labels.len() * self.classes).max(1) as f32;
        let row = |label: &Label| {
            let truth = shown(label, self.classes).into_iter();
            truth.map(|is_there| if is_there { weight } else { -weight }).collect::<Vec<_>>()
        };
        let values: Vec<f32> = labels.iter().flat_map(row).collect();
        Tensor::from_data(TensorData::new(values, [labels.len(), self.classes]), device)
    }

    fn loss(&self, logits: Tensor<2>, targets: Tensor<2>, _: Kernels) -> Tensor<1> {
        (softplus(logits * targets.clone().sign().neg(), 1.0) * targets.abs()).sum()
    }

    fn prediction(&self, logits: &[f32], label: &Label) -> Self::Prediction {
        (logits.to_vec(), shown(label, self.classes))
    }

    fn scores(&self, predictions: &[Self::Prediction]) -> Figures {
        let of = |class: usize| predictions.iter().map(move |(x, there)| (x[class], there[class]));
        let precisions =
            (0..self.classes).map(|class| average_precision(&of(class).collect::<Vec<_>>()));
        let loss = |(x, there): (f32, bool)| f64::from(if there { -x } else { x }).exp().ln_1p();
        let values = (predictions.len() * self.classes).max(1) as f64;
        Figures {
            loss: (0..self.classes).flat_map(of).map(loss).sum::<f64>() / values,
            mean_average_precision: precisions.sum::<f64>() / self.classes as f64,
        }
    }

    fn verdict(&self, scores: &Figures) -> Verdict {
        Verdict { name: "map", score: scores.mean_average_precision, loss: scores.loss }
    }

    fn guessing_loss(&self) -> f64 {
        2f64.ln()
    }
}

/// Which classes a label names.
fn shown(label: &Label, classes: usize) -> Vec<bool> {
    (0..classes as u32).map(|class| label.classes().contains(&class)).collect()
}

/// The average precision of scores without ties: the mean, over the images that show the class, of the
/// precision at their rank (scikit-learn's `average_precision_score`).
fn average_precision(scored: &[(f32, bool)]) -> f64 {
    let mut ranked = scored.to_vec();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut hits, mut sum) = (0.0, 0.0);
    for (rank, _) in (1..).zip(&ranked).filter(|(_, (_, is_there))| *is_there) {
        hits += 1.0;
        sum += hits / f64::from(rank);
    }
    if hits > 0.0 { sum / hits } else { 0.0 }
}

const CLASSES: usize = 3;
const SIDE: usize = 12;
const IMAGES: usize = 300;

/// Pictures with up to three bars: a row, a column, a diagonal.
fn dataset() -> Dataset {
    let label = |image: usize| -> Vec<u32> {
        let draw = Draw::at(1, 0, image as u64, Purpose::Synthetic);
        (0..CLASSES as u32).filter(|&class| draw.unit(class) < 0.5).collect()
    };
    let pixels = move |image: usize| {
        let draw = Draw::at(1, 1, image as u64, Purpose::Synthetic);
        let (at, bars) = (2 + draw.below(3, SIDE - 4), label(image));
        let has = |class| bars.contains(&class);
        let is_bar =
            move |y: usize, x: usize| has(0) && y == at || has(1) && x == at || has(2) && y == x;
        let byte = |i: usize| {
            let noise = draw.below(10 + i as u32, 60) as u8;
            if is_bar(i / SIDE, i % SIDE) { 255 - noise } else { noise }
        };
        (0..SIDE * SIDE).map(byte).collect::<Vec<u8>>()
    };
    let store =
        Arc::new(Store::new([SIDE, SIDE, 1], move || (0..IMAGES).flat_map(pixels).collect()));
    let sample = |image: usize| Sample {
        key: image.to_string().into(),
        label: Label::Many(label(image).into()),
        group: None,
        source: Source::Memory(Arc::clone(&store), image),
    };
    let mut dataset = Dataset {
        name: "bars".to_owned(),
        single_tree: true,
        classes: ["row", "column", "diagonal"].map(str::to_owned).to_vec(),
        splits: [Arc::new((0..IMAGES).map(sample).collect()), Arc::default(), Arc::default()],
        ..Dataset::default()
    };
    add_missing_splits(&mut dataset, 0.2, 0);
    dataset
}

fn main() -> Result<()> {
    // scikit-learn 1.9.1: `average_precision_score(y, s, average="macro")` of these tables.
    let truth = |i: usize, j: usize| (i * 7 + j * 5) % 11 < 4 + j;
    let score = |i: usize, j: usize| ((i * 13 + j * 29) % 17) as f32 / 17.0;
    let table = |j| (0..12).map(|i| (score(i, j), truth(i, j))).collect::<Vec<_>>();
    let mean = (0..3).map(|j| average_precision(&table(j))).sum::<f64>() / 3.0;
    assert!((mean - 0.523_812_730_479_397_1).abs() < 1e-12, "{mean}");

    let mut settings = Settings::default();
    (settings.train.epochs, settings.train.model) = (12, Some("cnn".to_owned()));
    let (data, folders, cpu) = (dataset(), Folders::find(None, None, None), Machine::cpu());
    let lock = Lock::of(&data);
    let (recipe, [train_split, val, _]) =
        resolve(&settings, false, &data, &lock, &cpu, &folders.models)?;
    let (context, how) = (Context::cpu(), &recipe.card.preprocessing);
    let network = Network::new(&spec("cnn", how.input(), CLASSES)?, 0, context.device())?;
    let loaders = [training_loader(&recipe, &train_split), evaluation_loader(&val, how)];
    let job = Job::new(&recipe, MultiLabel { classes: CLASSES }, loaders, context);
    let outcome = train(network, None, &job, &mut Silent)?;
    let (_, figures) = outcome.best.ok_or_else(|| Error::failed("no epoch was complete"))?;
    eprintln!("mean average precision {:.3}", figures.mean_average_precision);
    Ok(())
}
