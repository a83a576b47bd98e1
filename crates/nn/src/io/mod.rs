//! Files of tensors.

mod safetensors;

pub use self::safetensors::{File, Format, Tensor, decode, encode};
