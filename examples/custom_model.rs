//! Trains a network written by hand, as a burn `Module`, with tinderbox's own loop; evaluates it, saves
//! it, and predicts with the saved file.
//!
//! `cargo run --release --example custom_model [EPOCHS]` trains on the data set inside the program.

#![allow(clippy::print_stderr)] // an example talks to whoever runs it

use std::path::Path;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};
use tinderbox::base::{Folders, Result, Silent};
use tinderbox::data::{Lock, Split, load};
use tinderbox::image::DecodeSize;
use tinderbox::nn::{Activation, Context, ForwardContext, Layer, Model, Tail, block};
use tinderbox::train::{
    Job, Machine, Package, Predictor, Settings, Task, evaluation_loader, open_split, predict_split,
    resolve, train, training_loader,
};

/// Two strided convolutions and two dense layers.
#[derive(Module, Debug)]
struct Custom {
    first: Conv2d,
    second: Conv2d,
    hidden: Linear,
    head: Linear,
}

impl Custom {
    fn new(classes: usize, device: &Device) -> Self {
        let conv =
            |from, to| Conv2dConfig::new([from, to], [3, 3]).with_stride([2, 2]).init(device);
        Self {
            first: conv(1, 16),
            second: conv(16, 32),
            hidden: LinearConfig::new(32 * 6 * 6, 64).init(device),
            head: LinearConfig::new(64, classes).init(device),
        }
    }
}

impl Model for Custom {
    fn forward(&self, images: Tensor<4>, context: &ForwardContext) -> Tensor<2> {
        // A block of tinderbox around burn's layers: on the CPU it is one fused operation.
        let relu = || Tail { activation: Some(Activation::Relu), ..Tail::default() };
        let x = block(Layer::Conv(&self.first), images, relu(), context);
        let x = block(Layer::Conv(&self.second), x, relu(), context);
        let x = gelu(self.hidden.forward(x.flatten::<2>(1, 3)));
        self.head.forward(context.dropout(x, 0.25, 0))
    }
}

fn main() -> Result<()> {
    let mut settings = Settings::default();
    settings.train.epochs = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(3);
    let folders = Folders::find(None, None, None);
    let (data, _) = open_split(&settings.data, settings.train.seed, &folders, None)?;
    let (lock, cpu) = (Lock::of(&data), Machine::cpu());
    let (recipe, splits) = resolve(&settings, false, &data, &lock, &cpu, &folders.models)?;
    let [train_split, val, test] = &splits;
    let (context, classes, how) = (Context::cpu(), data.classes.len(), &recipe.card.preprocessing);

    let loaders = [training_loader(&recipe, train_split), evaluation_loader(val, how)];
    let job = Job::new(&recipe, recipe.task.clone(), loaders, context.clone());
    let outcome = train(Custom::new(classes, context.device()), None, &job, &mut Silent)?;
    let Some((model, _)) = outcome.best else { return Ok(()) };

    let test_loader = evaluation_loader(test, how);
    let found = predict_split(&model, &recipe.task, &test_loader, 1, &context, |_| true)?;
    let scores = recipe.task.scores(&found.unwrap_or_default().0);
    eprintln!("test top-1 {:.1}%", scores.top1 * 100.0);

    let file = std::env::temp_dir().join(format!("custom-{}.safetensors", std::process::id()));
    Package::new(&model, &recipe.card, serde_json::Value::Null)?.write(&file)?;
    let fresh = Custom::new(classes, context.device());
    let predictor = Predictor::with(fresh, Package::read(&file)?, &context)?;
    let sample = &data.split(Split::Test)[0];
    let picture = load(sample, DecodeSize::input(how)).map_err(tinderbox::base::Error::input)?;
    let first = predictor.rank(&[&predictor.prepare(&picture)])?[0][0];
    eprintln!("{} is `{}`", sample.key, data.classes[first.class]);
    tinderbox::base::files::remove(Path::new(&file))
}
