//! Networks: devices, fused blocks, an architecture as data, the burn module built from it, the zoo,
//! parameters by name, files of tensors.
//!
//! Nothing above this crate names a backend. The functions here take burn tensors of any device.
#![warn(missing_docs)]

mod adapter;
mod context;
pub mod device;
mod forward_context;
#[cfg(feature = "gpu")]
mod gpu;
pub mod io;
mod kernels;
mod known;
pub mod memory;
mod model;
mod network;
pub mod ops;
pub mod params;
mod shape;
pub mod spec;
pub mod threads;
mod values;
mod zoo;

pub use context::{Context, Precision, ProcessGroup};
pub use forward_context::ForwardContext;
pub use kernels::Kernels;
pub use model::{Group, Model};
pub use network::Network;
pub use ops::{Activation, Layer, Pool, Tail, block};
pub use params::{ParamInfo, Params};
pub use shape::{BlockShape, Shapes, check};
pub use spec::Spec;
pub use values::values;
pub use zoo::{Entry, ZOO, check_name, spec};
