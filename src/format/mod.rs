//! Files that hold tensors: safetensors, and the model package in one.

mod package;
mod safetensors;

pub use self::safetensors::{File, Tensor, decode, encode};
pub use package::{Package, fill, locate, locate_run};
