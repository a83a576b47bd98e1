//! A layer's weights in the form that the kernels want, kept between inference passes.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::flex::FlexTensor;
use tinderbox_kernels::conv::Memo;

/// Where a layer keeps its weights in the form that the kernels want, if a block gets one with it.
/// Clones share it. It notices when the weights have changed.
#[derive(Clone, Debug, Default)]
pub struct Prepared(Arc<Mutex<Option<Arc<Weights>>>>);

/// What is made of a layer's weights, besides the form that the kernels multiply with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::ops) enum How {
    /// Nothing.
    Plain,
    /// The norm is folded in, with this added to its variance.
    Folded(f64),
    /// The rows are turned to the order of these `[C, H, W]`.
    Turned([usize; 3]),
}

/// Weights that the kernels multiply with, and what they were made of.
#[derive(Debug)]
pub(in crate::ops) struct Weights {
    /// Kept alive: that stops their memory being reused, so an address identifies the weights.
    made_of: [Option<FlexTensor>; 6],
    how: How,
    /// Weights, and the bias where it is another than the layer's.
    pub values: (FlexTensor, Vec<f32>),
    pub memo: Memo,
}

impl Prepared {
    /// What was made of these weights, or is made now.
    pub(in crate::ops) fn get(
        &self,
        made_of: [Option<&FlexTensor>; 6],
        how: How,
        make: impl FnOnce() -> (FlexTensor, Vec<f32>),
    ) -> Arc<Weights> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*kept
            && kept.how == how
            && kept.made_of.iter().zip(made_of).all(|(a, b)| is_same(a.as_ref(), b))
        {
            return Arc::clone(kept);
        }
        let made_of = made_of.map(Option::<&_>::cloned);
        let memo = Memo::default();
        let weights = Arc::new(Weights { made_of, how, values: make(), memo });
        *kept = Some(Arc::clone(&weights));
        weights
    }

    /// Lets go of what is kept, before the weights change.
    pub(in crate::ops) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether two tensors are the same numbers in the same memory.
fn is_same(a: Option<&FlexTensor>, b: Option<&FlexTensor>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a.is_none() && b.is_none() };
    a.storage::<f32>().as_ptr_range() == b.storage::<f32>().as_ptr_range()
        && a.layout() == b.layout()
}
