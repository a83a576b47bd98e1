//! Between burn's tensors and the kernels' slices.
//!
//! burn's images are `[N, C, H, W]`. Ours have the same shape but channels last in memory, by their
//! strides: every operator of burn still reads them rightly, and the kernels read them fast.

use std::borrow::Cow;

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};
use tinderbox_kernels::{buffer, layout};

/// The sizes of a tensor, `[N, C, H, W]`.
pub(super) fn dims(tensor: &FlexTensor) -> [usize; 4] {
    tensor.layout().shape().dims::<4>()
}

/// A tensor `[N, C, H, W]` over memory `[N, H, W, C]`.
pub(super) fn from_channels_last(values: Vec<f32>, [n, c, h, w]: [usize; 4]) -> FlexTensor {
    assert_eq!(values.len(), n * c * h * w, "values of a tensor");
    let strides = [h * w * c, 1, w * c, c].map(|stride| stride as isize).to_vec();
    let layout = Layout::new(Shape::new([n, c, h, w]), strides, 0);
    FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
}

/// A tensor over memory in the order of its shape.
pub(super) fn contiguous(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    let layout = Layout::contiguous(shape.into());
    assert_eq!(values.len(), layout.num_elements(), "values of a tensor");
    FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
}

/// Whether this is in the order of `strides`; axes of one element do not matter.
fn is_ordered(tensor: &FlexTensor, strides: [usize; 4]) -> bool {
    let all = dims(tensor).into_iter().zip(strides).zip(tensor.layout().strides());
    all.into_iter().all(|((size, wanted), &stride)| size < 2 || stride == wanted as isize)
}

/// Whether memory is in the order of `strides`, and holds nothing else.
fn has_strides(tensor: &FlexTensor, strides: [usize; 4]) -> bool {
    tensor.layout().start_offset() == 0
        && tensor.storage::<f32>().len() == tensor.layout().num_elements()
        && is_ordered(tensor, strides)
}

/// The values of an image tensor where they lie in one piece with channels last, as those of some
/// images of a batch do.
pub(super) fn view(tensor: &FlexTensor) -> Option<&[f32]> {
    let [_, c, h, w] = dims(tensor);
    let (start, len) = (tensor.layout().start_offset(), tensor.layout().num_elements());
    is_ordered(tensor, [h * w * c, 1, w * c, c])
        .then(|| tensor.storage::<f32>().get(start..start + len))
        .flatten()
}

/// Whether this is an image tensor with channels last in memory, nothing else in it, and another
/// order than that of the shape.
pub(super) fn is_channels_last(tensor: &FlexTensor) -> bool {
    let &[_, c, h, w] = &tensor.layout().shape()[..] else { return false };
    has_strides(tensor, [h * w * c, 1, w * c, c]) && !has_strides(tensor, [c * h * w, h * w, w, 1])
}

/// The rows of dense weights, `[C, H, W]` by outputs, as `[H, W, C]` by outputs.
pub(super) fn turn_rows(weight: &FlexTensor, [_, c, h, w]: [usize; 4]) -> FlexTensor {
    reordered(weight, [c, h * w])
}

/// The way back: from `[H, W, C]` by outputs to `[C, H, W]` by outputs.
pub(super) fn turn_rows_back(weight: &FlexTensor, [_, c, h, w]: [usize; 4]) -> FlexTensor {
    reordered(weight, [h * w, c])
}

/// Row `i * columns + j` becomes row `j * rows + i`.
fn reordered(weight: &FlexTensor, [rows, columns]: [usize; 2]) -> FlexTensor {
    let [inputs, outputs] = weight.layout().shape().dims::<2>();
    let from = weight.storage::<f32>();
    let mut to = buffer::arbitrary(inputs * outputs);
    for (number, to) in to.chunks_exact_mut(outputs.max(1)).enumerate() {
        let (j, i) = (number / rows, number % rows);
        to.copy_from_slice(&from[(i * columns + j) * outputs..][..outputs]);
    }
    contiguous(to, [inputs, outputs])
}

/// `tensor` in a form: itself, and still its memory's only owner, where it has that form.
pub(super) fn formed(
    tensor: FlexTensor,
    form: impl Fn(&FlexTensor) -> Cow<'_, FlexTensor>,
) -> FlexTensor {
    let copy = match form(&tensor) {
        Cow::Owned(copy) => Some(copy),
        Cow::Borrowed(_) => None,
    };
    copy.unwrap_or(tensor)
}

/// The tensor itself where its channels are last in memory and nothing else is in it, else a copy
/// for which that is so.
pub(super) fn channels_last(tensor: &FlexTensor) -> Cow<'_, FlexTensor> {
    let [n, c, h, w] = dims(tensor);
    if has_strides(tensor, [h * w * c, 1, w * c, c]) {
        return Cow::Borrowed(tensor);
    }
    let first = channels_first(tensor);
    let mut values = buffer::arbitrary(n * c * h * w);
    layout::to_channels_last(n, c, h * w, first.storage::<f32>(), &mut values);
    Cow::Owned(from_channels_last(values, [n, c, h, w]))
}

/// The tensor itself where its memory is in the order of `[N, C, H, W]` and nothing else is in it,
/// else a copy for which that is so.
pub(super) fn channels_first(tensor: &FlexTensor) -> Cow<'_, FlexTensor> {
    let [n, c, h, w] = dims(tensor);
    if is_channels_last(tensor) {
        let mut values = buffer::arbitrary(n * c * h * w);
        layout::to_channels_first(n, c, h * w, tensor.storage::<f32>(), &mut values);
        return Cow::Owned(contiguous(values, [n, c, h, w]));
    }
    in_order(tensor)
}

/// The tensor itself where its memory is in the order of its shape and nothing else is in it, else a
/// copy for which that is so.
pub(super) fn in_order(tensor: &FlexTensor) -> Cow<'_, FlexTensor> {
    let whole = tensor.storage::<f32>().len() == tensor.layout().num_elements();
    if whole && tensor.layout().start_offset() == 0 && tensor.layout().is_contiguous() {
        return Cow::Borrowed(tensor);
    }
    Cow::Owned(FlexTensor::from_data(tensor.clone().into_data()))
}
