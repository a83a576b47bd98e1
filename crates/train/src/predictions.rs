//! What a model says to images.

use burn::tensor::{Tensor, TensorData};
use tinderbox_base::{Error, Result};
use tinderbox_data::{BadSample, Loader, LoaderSpec};
use tinderbox_nn::{Context, ForwardContext, Model, values};

use crate::task::Task;

/// The logits, row by row, that `model` makes of normalised images, `[N, C, H, W]` with `input` =
/// `[C, H, W]`.
///
/// # Errors
/// If the device fails.
pub fn logits<M: Model>(
    model: &M,
    images: Vec<f32>,
    input: [usize; 3],
    context: &Context,
) -> Result<Vec<Vec<f32>>> {
    let [c, h, w] = input;
    let n = images.len() / (c * h * w);
    let images = Tensor::<4>::from_data(TensorData::new(images, [n, c, h, w]), context.device());
    let mut rows = Vec::with_capacity(n);
    let slices = n.div_ceil(context.images_at_once()).max(1);
    let most = n.div_ceil(slices).max(1);
    for start in (0..n).step_by(most) {
        let some = images.clone().narrow(0, start, most.min(n - start));
        let logits = model.forward(some, &ForwardContext::inference(context));
        let outputs = logits.dims()[1];
        let failed =
            |error: Error| Error { message: "the device failed to predict".into(), ..error };
        let logits = values(logits).map_err(failed)?;
        rows.extend(logits.chunks_exact(outputs).map(<[f32]>::to_vec));
    }
    Ok(rows)
}

/// The predictions of a split in its order, and the samples that had to be replaced.
pub type Judged<T> = (Vec<<T as Task>::Prediction>, Vec<BadSample>);

/// What `model` (without autodiff) predicts for every sample of `split`, in its order, and the samples
/// that had to be replaced. `goes_on` is asked before each batch, and while one is waited for every
/// second with the seconds so far; none where it says no.
///
/// # Errors
/// If a class has no image that decodes, or the device fails.
pub fn predict_split<M: Model, T: Task>(
    model: &M,
    task: &T,
    split: &LoaderSpec,
    threads: usize,
    context: &Context,
    mut goes_on: impl FnMut(u64) -> bool,
) -> Result<Option<Judged<T>>> {
    let mut predictions = Vec::with_capacity(split.order.samples);
    let mut bad = Vec::new();
    let steps = split.order.steps_per_epoch();
    let mut loader = Loader::start(split, 0, steps, threads)?;
    for _ in 0..steps {
        let batch = if goes_on(0) { loader.wait(&mut goes_on) } else { None };
        let Some(batch) = batch.transpose()? else { return Ok(None) };
        let rows = logits(model, batch.images, batch.input, context)?;
        let judged = rows.iter().zip(&batch.labels);
        predictions.extend(judged.map(|(row, label)| task.prediction(row, label)));
        bad.extend(batch.bad);
    }
    Ok(Some((predictions, bad)))
}
