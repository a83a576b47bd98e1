//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use tinderbox_data::DataSpec;

use super::shared_args::{CheckFlags, ComputeFlags, ReadingFlags, SharedArgs};
use super::train_args::TrainArgs;
use crate::commands::bench::Length;
use crate::commands::predict::Form;
use crate::commands::{bench, check, evaluate, fetch, models, predict};
use crate::terminal::Verbosity;

/// Trains image classifiers on any machine: one small program, no Python
///
/// Give it a folder of images; it gives you a trained model in `models` and pictures of what the
/// model sees in `images`. `tinderbox train` alone trains on a small data set inside the program.
#[derive(Debug, Parser)]
#[command(name = "tinderbox", version, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Global {
    /// Folder with the data sets; it is only read [default: ./datasets, or `TINDERBOX_DATASETS`]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) datasets: Option<PathBuf>,
    /// Folder for trained models [default: ./models, or `TINDERBOX_MODELS`]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) models: Option<PathBuf>,
    /// Folder for pictures [default: ./images, or `TINDERBOX_IMAGES`]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) images: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Print more
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

impl Global {
    pub(super) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Train a model
    Train(TrainArgs),
    /// Prove that a killed and resumed training ends with the same bits
    VerifyResume(VerifyArgs),
    /// Measure a trained model on any split or folder
    Evaluate(EvaluateArgs),
    /// Classify images
    Predict(PredictArgs),
    /// List, check, show, measure and fetch data sets
    Datasets {
        #[command(subcommand)]
        command: DatasetsCommand,
    },
    /// List the networks, or show the layers, parameters and operations of one
    Models(ModelsArgs),
    /// List and show trained runs
    Runs {
        #[command(subcommand)]
        command: RunsCommand,
    },
    /// List CPU and GPUs, and which one `auto` chooses
    Devices,
    /// Check whether this container or workstation is ready to train, and say what to fix
    Doctor,
    /// Measure images per second for a network, a batch and a device
    Bench(BenchArgs),
    /// Print a script that completes commands and flags in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    pub(super) train: TrainArgs,
    /// Steps between two checkpoints, and from the last one to the comparison
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(super) steps: u32,
}

#[derive(Debug, Subcommand)]
pub(super) enum DatasetsCommand {
    /// List the data sets in the datasets folder and the one inside the program
    List,
    /// Decode every image; find broken files, copies, and pictures in two splits
    Check(CheckArgs),
    /// Draw some images with and without augmentation
    Show(TrainArgs),
    /// Measure how many images per second a data set can deliver
    Speed(TrainArgs),
    /// Get a well-known data set
    Fetch(FetchArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Name or path of a data set
    dataset: String,
    #[command(flatten)]
    data: SharedArgs<CheckFlags>,
}

#[derive(Debug, Args)]
pub(super) struct FetchArgs {
    /// The data set [default: list all that can be fetched]
    name: Option<String>,
    /// Take the files from this file or folder instead of downloading them
    #[arg(long, value_name = "PATH", requires = "name")]
    from: Option<PathBuf>,
    /// Server to try first: it has `NAME/FILE` or `FILE` below this address
    #[arg(long, value_name = "URL", env = "TINDERBOX_MIRROR", hide_env = true)]
    mirror: Option<String>,
    /// Table of your own data sets (TOML) instead of the program's
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// List all runs with their scores
    List,
    /// Show one run: model, classes, scores, settings
    Show {
        /// Name of a run, its folder, or a model file
        run: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    /// Name of a run, its folder, or a model file
    run: String,
    /// Name or path of a data set [default: the one that the run was trained on]
    dataset: Option<String>,
    /// Split to evaluate [default: test, otherwise val; all images if there are no splits]
    #[arg(long, value_parser = ["train", "val", "test", "all"])]
    split: Option<String>,
    /// Evaluate even on images that the model was trained on; the scores are then no test
    #[arg(long)]
    allow_leak: bool,
    #[command(flatten)]
    data: SharedArgs<ReadingFlags>,
    #[command(flatten)]
    compute: SharedArgs<ComputeFlags>,
}

#[derive(Debug, Args)]
pub(super) struct PredictArgs {
    /// Name of a run, its folder, or a model file
    run: String,
    /// Images, folders or glob patterns; `-` reads one image from stdin
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// Number of classes to print for each image
    #[arg(long, value_name = "K", default_value_t = 3)]
    top: usize,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Also draw the images with their classes into this PNG file
    #[arg(long, value_name = "FILE")]
    mosaic: Option<PathBuf>,
    #[command(flatten)]
    compute: SharedArgs<ComputeFlags>,
}

#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    /// Name of one network
    name: Option<String>,
    /// Height and width of an image
    #[arg(long, value_name = "PIXELS", default_value_t = 224)]
    size: usize,
    /// Channels of an image
    #[arg(long, value_name = "N", default_value_t = 3)]
    channels: usize,
    /// Classes
    #[arg(long, value_name = "N", default_value_t = 10)]
    classes: usize,
}

/// What `bench --only` can name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Phase {
    Training,
    Inference,
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// The network
    #[arg(long, value_name = "NAME", default_value = "cnn")]
    model: String,
    /// Height and width of an image
    #[arg(long, value_name = "PIXELS", default_value_t = 28)]
    size: usize,
    /// Channels of an image
    #[arg(long, value_name = "N", default_value_t = 1)]
    channels: usize,
    /// Classes
    #[arg(long, value_name = "N", default_value_t = 10)]
    classes: usize,
    /// Images per step
    #[arg(long, value_name = "N", default_value_t = 128)]
    batch: usize,
    /// Steps to measure
    #[arg(long, value_name = "N", default_value_t = 20)]
    steps: usize,
    /// Measure for this many seconds instead of a number of steps, but at least three steps
    #[arg(long, value_name = "S", conflicts_with = "steps")]
    seconds: Option<f64>,
    /// Measure training or inference only
    #[arg(long, value_name = "PHASE")]
    only: Option<Phase>,
    #[command(flatten)]
    compute: SharedArgs<ComputeFlags>,
}

impl From<CheckArgs> for check::Options {
    fn from(args: CheckArgs) -> Self {
        let CheckArgs { dataset, data } = args;
        Self { data: DataSpec { dataset, ..data.0 } }
    }
}

impl From<FetchArgs> for fetch::Options {
    fn from(args: FetchArgs) -> Self {
        let FetchArgs { name, from, mirror, manifest } = args;
        Self { name, from, mirror: mirror.filter(|url| !url.is_empty()), manifest }
    }
}

impl From<EvaluateArgs> for evaluate::Options {
    fn from(args: EvaluateArgs) -> Self {
        let EvaluateArgs { run, dataset, split, allow_leak, data, compute } = args;
        Self { run, dataset, split, allow_leak, reading: data.0.reading(), compute: compute.0 }
    }
}

impl From<PredictArgs> for predict::Options {
    fn from(args: PredictArgs) -> Self {
        let PredictArgs { run, paths, top, csv, mosaic, compute } = args;
        let form = if csv { Form::Csv } else { Form::Table };
        Self { run, paths, top, form, mosaic, compute: compute.0 }
    }
}

impl From<ModelsArgs> for models::Options {
    fn from(args: ModelsArgs) -> Self {
        let ModelsArgs { name, size, channels, classes } = args;
        Self { name, size, channels, classes }
    }
}

impl From<BenchArgs> for bench::Options {
    fn from(args: BenchArgs) -> Self {
        let BenchArgs { model, size, channels, classes, batch, steps, seconds, only, compute } =
            args;
        let length = seconds.map_or(Length::Steps(steps), Length::Seconds);
        let only = only.map(|only| match only {
            Phase::Training => bench::Phase::Training,
            Phase::Inference => bench::Phase::Inference,
        });
        Self { model, size, channels, classes, batch, length, only, compute: compute.0 }
    }
}
