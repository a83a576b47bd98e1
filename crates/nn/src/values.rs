//! From a tensor on a device to numbers in memory: the one place that knows their type.

use burn::tensor::Tensor;
use tinderbox_base::{Error, Result};

/// The elements of a tensor in the order of its shape, as 32-bit floats.
///
/// # Errors
/// If the device fails to hand them over.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let failed =
        |cause: String| Error::failed("the device failed to hand over its results").cause(cause);
    let data = tensor.try_into_data().map_err(|cause| failed(format!("{cause:?}")))?;
    data.try_into_vec::<f32>().map_err(|cause| failed(format!("{cause:?}")))
}
