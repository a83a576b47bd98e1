//! The pictures of a training: chosen here, drawn by `report`.

use std::path::Path;

use tinderbox_base::draw::{Purpose, permutation};
use tinderbox_base::{Result, files};
use tinderbox_data::LoaderSpec;
use tinderbox_image::{DecodeSize, prepare};
use tinderbox_report as report;
use tinderbox_report::{EpochPoint, Guess};
use tinderbox_train::{EpochRecord, Prediction, confusion};

/// The names of the pictures.
pub const FILES: [&str; 5] =
    ["batch.png", "predictions.png", "mistakes.png", "curves.png", "confusion.png"];

/// Images in a picture of a batch, of predictions and of mistakes.
const SHOWN: usize = 40;

/// Draws what the network is fed at the first step.
pub fn batch(folder: &Path, train: &LoaderSpec, classes: &[String]) -> Result<()> {
    let mut few = train.clone();
    few.order.batch = few.order.batch.min(SHOWN);
    let (images, batch) = few.first_batch()?;
    let labels: Vec<usize> = batch.labels.iter().map(|label| label.stratum(0)).collect();
    files::replace(&folder.join(FILES[0]), &report::batch(&images, &labels, batch.mixing, classes)?)
}

/// Draws what is known after the loop. `predictions` are those for `shown`, in its order.
pub fn after(
    folder: &Path,
    shown: &LoaderSpec,
    predictions: &[Prediction],
    classes: &[String],
    history: &[EpochRecord],
) -> Result<()> {
    let sample = permutation(0, 0, predictions.len(), Purpose::Pick);
    let sample: Vec<usize> = sample.iter().take(SHOWN).map(|&i| i as usize).collect();
    let mut wrong: Vec<usize> = (0..predictions.len())
        .filter(|&i| predictions[i].predicted != predictions[i].truth)
        .collect();
    wrong.sort_by(|&a, &b| predictions[b].loss.total_cmp(&predictions[a].loss).then(a.cmp(&b)));
    wrong.truncate(SHOWN);
    let matrix: Vec<u64> = confusion(predictions, classes.len()).concat();
    let pictures = [
        report::predictions(&guesses(shown, predictions, &sample)?, classes)?,
        report::mistakes(&guesses(shown, predictions, &wrong)?, classes)?,
        report::curves(&history.iter().map(point).collect::<Vec<_>>())?,
        report::confusion(&matrix, classes)?,
    ];
    for (name, picture) in FILES[1..].iter().zip(pictures) {
        files::replace(&folder.join(name), &picture)?;
    }
    Ok(())
}

fn guesses(shown: &LoaderSpec, predictions: &[Prediction], which: &[usize]) -> Result<Vec<Guess>> {
    let guess = |&i: &usize| {
        let (pixels, _) = shown.samples.load(
            i as u32,
            DecodeSize::input(&shown.preprocessing),
            &mut Vec::new(),
        )?;
        let Prediction { truth, predicted, confidence, loss, .. } = predictions[i];
        Ok(Guess {
            pixels: prepare(&pixels, &shown.preprocessing),
            truth: Some(truth as usize),
            guess: predicted as usize,
            confidence,
            loss: loss as f32,
            name: shown.samples.get(i as u32).key.clone().into(),
        })
    };
    which.iter().map(guess).collect()
}

fn point(record: &EpochRecord) -> EpochPoint {
    EpochPoint {
        epoch: u32::try_from(record.epoch).unwrap_or(u32::MAX),
        train_loss: record.train_loss,
        val_loss: record.val_loss,
        train_top1: None,
        val_top1: record.val_score,
        lr: record.lr,
    }
}
