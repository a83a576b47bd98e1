//! Files of tensors.

mod safetensors;

pub use self::safetensors::{File, Tensor, decode, encode};
