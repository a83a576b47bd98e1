//! A GPU as a driver offers it.

use serde::Serialize;

/// A GPU adapter that a driver offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adapter {
    /// Its number for `gpu:N`.
    pub number: usize,
    /// The adapter's name.
    pub name: String,
    /// The driver's name and version.
    pub driver: String,
    /// The graphics interface: `vulkan`, `metal`, `dx12`.
    pub interface: String,
    /// Whether it is a program and not a card: llvmpipe, SwiftShader.
    pub software: bool,
}
