//! Networks: devices, fused blocks, an architecture as data, the burn module built from it, the zoo,
//! parameters by name, files of tensors.
//!
//! Nothing above this crate names a backend. The functions here take burn tensors of any device.
#![warn(missing_docs)]

mod classifier;
pub mod device;
mod forward_context;
#[cfg(feature = "gpu")]
mod gpu;
pub mod io;
pub mod kernels;
pub mod memory;
mod network;
pub mod ops;
mod params;
mod shape;
pub mod spec;
pub mod threads;
mod zoo;

pub use classifier::Classifier;
pub use forward_context::Pass;
pub use kernels::Kernels;
pub use network::Network;
pub use ops::{Activation, Layer, Pool, Prepared, Tail, block, images_at_once};
pub use params::{Weight, load_weights, weights};
pub use shape::{BlockShape, Shapes, check};
pub use spec::Spec;
pub use zoo::{Entry, ZOO, check_name, spec};
