//! Trains a network written by hand, as a burn `Module`, with tinderbox's own learner.
//!
//! `cargo run --release --example custom_model [EPOCHS]` trains on the data set inside the program.

#![allow(clippy::print_stderr)] // an example talks to whoever runs it

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};
use tinderbox::base::Folders;
use tinderbox::base::Result;
use tinderbox::base::signals::Signals;
use tinderbox::data::{Order, Samples, Split, Work, add_missing_splits, open, statistics};
use tinderbox::image::{Augment, Augmentation, Preprocessing};
use tinderbox::nn::{Activation, Layer, Tail, block};
use tinderbox::nn::{Classifier, Pass};
use tinderbox::terminal::{Reporter, Verbosity};
use tinderbox::train::{ClassWeights, Plan, Settings};
use tinderbox::train::{Job, train};

/// Images in a step.
const BATCH: usize = 64;

/// Two strided convolutions and two dense layers.
#[derive(Module, Debug)]
struct Custom {
    first: Conv2d,
    second: Conv2d,
    hidden: Linear,
    answer: Linear,
}

impl Custom {
    fn new(classes: usize, device: &Device) -> Self {
        let conv =
            |from, to| Conv2dConfig::new([from, to], [3, 3]).with_stride([2, 2]).init(device);
        Self {
            first: conv(1, 16),
            second: conv(16, 32),
            hidden: LinearConfig::new(32 * 6 * 6, 64).init(device),
            answer: LinearConfig::new(64, classes).init(device),
        }
    }
}

impl Classifier for Custom {
    fn forward(&self, images: Tensor<4>, pass: &Pass) -> Tensor<2> {
        // A block of tinderbox around burn's layers: on the CPU it is one fused operation.
        let tail = || Tail {
            activation: Some(Activation::Relu),
            training: pass.training,
            ..Tail::default()
        };
        let x = block(Layer::Conv(&self.first), images, tail());
        let x = block(Layer::Conv(&self.second), x, tail());
        let x = gelu(self.hidden.forward(x.flatten::<2>(1, 3)));
        self.answer.forward(pass.dropout(x, 0.25, 0))
    }
}

fn main() -> Result<()> {
    let epochs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3);
    let mut settings = Settings::default();
    settings.train.epochs = epochs;
    let folders = Folders::find(None, None, None);
    let mut dataset = open(&settings.data.dataset, &folders, &settings.data.reading())?;
    add_missing_splits(&mut dataset, settings.data.val_fraction, settings.train.seed);
    let classes = dataset.classes.clone();
    let samples = |split| Samples::new(dataset.split(split).to_vec(), classes.len());
    let (train_samples, val_samples) = (samples(Split::Train), samples(Split::Val));

    let mut preprocessing = Preprocessing {
        channels: 1,
        height: 28,
        width: 28,
        crop: 1.0,
        mean: vec![0.0],
        std: vec![1.0],
    };
    (preprocessing.mean, preprocessing.std) =
        statistics(&train_samples, &preprocessing, settings.train.seed)?;

    let work = |samples: &std::sync::Arc<Samples>, seed| Work {
        samples: std::sync::Arc::clone(samples),
        order: Order { seed, ..Order::plain(samples.len(), BATCH) },
        augmentation: Augmentation::NONE,
        preprocessing: preprocessing.clone(),
        most_bytes: 1 << 28,
    };
    let device = Device::flex();
    let model = Custom::new(classes.len(), &device);
    let plan = Plan {
        model: "custom".to_owned(),
        augment: Augment::None,
        augmentation: Augmentation::NONE,
        loader_threads: 1,
        balance: ClassWeights::None,
        class_weights: vec![1.0; classes.len()],
        batch: BATCH,
        micro_batch: BATCH,
        steps_per_epoch: train_samples.len().div_ceil(BATCH),
        dataset_hash: String::new(),
        classes,
        preprocessing: preprocessing.clone(),
        settings: settings.clone(),
    };
    let [train_work, val_work] =
        [work(&train_samples, Some(settings.train.seed)), work(&val_samples, None)];
    let job = Job { signals: Signals::listen()?, ..Job::new(plan, train_work, val_work, device) };
    let outcome = train(model, None, &job, &mut Reporter::new(Verbosity::Normal))?;
    if let Some((_, scores)) = outcome.best {
        eprintln!("validation top-1 {:.1}%", scores.top1 * 100.0);
    }
    Ok(())
}
