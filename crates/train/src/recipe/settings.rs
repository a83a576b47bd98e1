//! Every setting of a training, typed, with its default.

use serde::{Deserialize, Serialize};

use tinderbox_base::settings::{Amount, Interval, check_range, ensure};
use tinderbox_base::{Error, Result, env};
use tinderbox_data::{CacheKind, EMBEDDED, Format, Reading};
use tinderbox_image::{Augment, Changes};
use tinderbox_nn::Kernels;

/// The update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
    Adamw,
    /// Adam (Kingma and Ba, 2015), weight decay added to the gradient.
    Adam,
    /// Stochastic gradient descent with momentum, as PyTorch has it.
    Sgd,
}

/// How the learning rate goes after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Down to zero along half a cosine.
    Cosine,
    /// Divided by 10 at half and at three quarters of the epochs.
    Step,
    /// Not at all.
    Constant,
}

/// How much a class counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// The counts of the classes decide.
    Auto,
    /// Every sample counts the same.
    None,
    /// Every class counts the same in the loss: a sample counts one over its class's frequency.
    Balanced,
    /// Every class is shown equally often: those with few samples show them more than once.
    Sampled,
}

/// What happens when the loss is not a finite number any more, or far above that of guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDivergence {
    /// The training stops.
    Stop,
    /// It goes back to the end of the last good epoch, with half the learning rate.
    Rollback,
}

/// The settings of a training. What is `None` is decided by the data; see [`crate::Plan`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Settings {
    /// The data set: a name in the datasets folder, or a path.
    pub dataset: String,
    /// The form of the data set, where what is there does not tell it.
    pub data_format: Option<Format>,
    /// Names of a table's columns: `path=FILE,label=CLASS,split=PART,group=PATIENT`.
    pub columns: Option<String>,
    /// A pattern that finds a sample's group in its path, or the name of a column of groups.
    pub group: Option<String>,
    /// The run whose split is used again.
    pub lock: Option<String>,
    /// The network: `cnn` for small images, else `mobilenet_v2`.
    pub model: Option<String>,
    /// Height and width of the images in pixels.
    pub size: Option<usize>,
    /// 1 for grey, 3 for colour.
    pub channels: Option<usize>,
    /// Passes over the training split.
    pub epochs: usize,
    /// Images in a step.
    pub batch: Amount,
    /// Images whose gradients are computed at once and then added up. Where not given the whole batch,
    /// on a GPU as many of it as fit.
    pub micro_batch: Option<Amount>,
    /// The update rule.
    pub optimizer: OptimizerKind,
    /// The highest learning rate: 0.003 for `adamw` and `adam`, 0.05 for `sgd`.
    pub lr: Option<f64>,
    /// How the learning rate goes after the warm-up.
    pub schedule: ScheduleKind,
    /// Epochs in which the learning rate rises from zero.
    pub warmup: f64,
    /// Momentum of `sgd`.
    pub momentum: f64,
    /// Weight decay of matrices and kernels; biases and norms have none.
    pub weight_decay: f64,
    /// The share of a label that is spread over all classes.
    pub label_smoothing: f64,
    /// The longest gradient; 0 for any length.
    pub clip: f64,
    /// How much a class counts.
    pub class_weights: ClassWeights,
    /// Epochs without a better validation after which training stops; 0 for never.
    pub patience: usize,
    /// What a divergence ends in.
    pub on_nan: OnDivergence,
    /// How images are varied.
    pub augment: Augment,
    /// Single parts of that, changed.
    #[serde(skip_serializing_if = "Changes::is_empty")]
    pub augmentation: Changes,
    /// Where decoded images are kept.
    pub cache: CacheKind,
    /// The share of the training split that validates where the data has no such split.
    pub val_fraction: f64,
    /// The share of the images that may fail to decode.
    pub max_bad: f64,
    /// The seed of every random draw.
    pub seed: u64,
    /// The device.
    pub device: String,
    /// Which operations compute on the CPU.
    pub kernels: Kernels,
    /// Compute threads; the cores where not given.
    pub threads: Option<usize>,
    /// Loader threads; the compute threads where not given, 1 for data that lies in memory.
    pub loader_threads: Option<usize>,
    /// The run's name.
    pub name: Option<String>,
    /// Whether a run of that name is replaced.
    pub overwrite: bool,
    /// The step after which training stops, to go on another time.
    pub stop_after: Option<usize>,
    /// How often the state is saved.
    pub checkpoint_every: Interval,
    /// Steps between two that are computed on the CPU as well and compared; 0 for the first step only.
    pub audit_every: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dataset: EMBEDDED.to_owned(),
            data_format: None,
            columns: None,
            group: None,
            lock: None,
            model: None,
            size: None,
            channels: None,
            epochs: 15,
            batch: Amount::Of(64),
            micro_batch: None,
            optimizer: OptimizerKind::Adamw,
            lr: None,
            schedule: ScheduleKind::Cosine,
            warmup: 1.0,
            momentum: 0.9,
            weight_decay: 0.01,
            label_smoothing: 0.0,
            clip: 0.0,
            class_weights: ClassWeights::Auto,
            patience: 0,
            on_nan: OnDivergence::Stop,
            augment: Augment::Auto,
            augmentation: Changes::default(),
            cache: CacheKind::Auto,
            val_fraction: 0.1,
            max_bad: 0.05,
            seed: 0,
            device: "auto".to_owned(),
            kernels: Kernels::On,
            threads: None,
            loader_threads: None,
            name: None,
            overwrite: false,
            stop_after: None,
            checkpoint_every: Interval::Auto,
            audit_every: 0,
        }
    }
}

impl Settings {
    /// The highest learning rate.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.lr.unwrap_or(match self.optimizer {
            OptimizerKind::Adamw | OptimizerKind::Adam => 0.003,
            OptimizerKind::Sgd => 0.05,
        })
    }

    /// How the data set's files are read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let Self { data_format, columns, group, .. } = self;
        Reading { format: *data_format, columns: columns.clone(), group: group.clone() }
    }

    /// Compute threads.
    #[must_use]
    pub fn compute_threads(&self) -> usize {
        self.threads.unwrap_or_else(env::cores)
    }

    /// Checks that every value makes sense by itself.
    ///
    /// # Errors
    /// The first value that does not, with its flag and range.
    pub fn check(&self) -> Result<()> {
        let real = |flag, value: f64, low: f64, high: f64| {
            ensure((low..=high).contains(&value), flag, &value, &format!("{low} to {high}"))
        };
        check_range("epochs", self.epochs, 1, 1_000_000)?;
        check_range("batch", self.batch.number().unwrap_or(1), 1, 65_536)?;
        let micro_batch = self.micro_batch.and_then(Amount::number);
        check_range("micro-batch", micro_batch.unwrap_or(1), 1, 65_536)?;
        check_range("stop-after", self.stop_after.unwrap_or(1), 1, 1 << 40)?;
        check_range("size", self.size.unwrap_or(1), 1, 4096)?;
        ensure(
            matches!(self.channels, None | Some(1 | 3)),
            "channels",
            &self.channels.unwrap_or(1),
            "1 or 3",
        )?;
        real("lr", self.learning_rate(), 1e-12, 1e3)?;
        real("warmup", self.warmup, 0.0, 1e6)?;
        real("momentum", self.momentum, 0.0, 0.9999)?;
        real("weight-decay", self.weight_decay, 0.0, 10.0)?;
        real("label-smoothing", self.label_smoothing, 0.0, 0.99)?;
        real("clip", self.clip, 0.0, 1e9)?;
        real("val-fraction", self.val_fraction, 0.0, 0.9)?;
        ensure(self.val_fraction > 0.0, "val-fraction", &self.val_fraction, "above 0 to 0.9")?;
        real("max-bad", self.max_bad, 0.0, 1.0)?;
        self.reading().check()?;
        compute_threads(self.threads)?;
        check_range("loader-threads", self.loader_threads.unwrap_or(1), 1, 1024)?;
        self.name.as_deref().map_or(Ok(()), check_name)
    }
}

/// A run's name is also a folder's: letters, digits, `.`, `_`, `-` and more, but no way out.
fn check_name(name: &str) -> Result<()> {
    let bad = name.is_empty()
        || name.len() > 200
        || name.starts_with('.')
        || name.chars().any(|c| c.is_control() || "/\\:*?\"<>|".contains(c));
    if bad {
        return Err(Error::usage(format!("`{name}` cannot be a run's name"))
            .hint("use letters, digits, `-`, `_` and `.`, not first a `.`"));
    }
    Ok(())
}

/// Compute threads: those asked for, else the cores.
///
/// # Errors
/// If the number makes no sense.
pub fn compute_threads(asked: Option<usize>) -> Result<usize> {
    let threads = asked.unwrap_or_else(env::cores);
    check_range("threads", threads, 1, 1024)?;
    Ok(threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_good() {
        Settings::default().check().unwrap();
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_range() {
        for (settings, flag) in [
            (Settings { epochs: 0, ..Settings::default() }, "--epochs 0"),
            (Settings { channels: Some(2), ..Settings::default() }, "--channels 2"),
            (Settings { lr: Some(f64::NAN), ..Settings::default() }, "--lr NaN"),
            (Settings { name: Some("../x".to_owned()), ..Settings::default() }, "../x"),
        ] {
            let error = settings.check().unwrap_err();
            assert!(error.message.contains(flag), "{error:?}");
            assert!(error.hint.is_some());
        }
    }
}
