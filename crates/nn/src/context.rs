//! Where and how a network computes, as one value.

use burn::tensor::Device;

use crate::device::{self, Chosen, DeviceId};
use crate::kernels::Kernels;

/// The type that weights, activations and gradients have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    Single,
}

/// The processes that train one model together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessGroup {
    /// The number of this process, from 0.
    pub rank: usize,
    /// How many processes there are.
    pub world: usize,
}

impl ProcessGroup {
    /// This process alone.
    pub const ALONE: Self = Self { rank: 0, world: 1 };
}

/// Where and how a network computes. Contexts with different options can be used side by side in one
/// process: nothing here is a switch of the whole process.
#[derive(Clone, Debug)]
pub struct Context {
    device: Device,
    /// Which device it is.
    pub id: DeviceId,
    /// The type of weights and activations.
    pub precision: Precision,
    /// Which operations compute on the CPU.
    pub kernels: Kernels,
    /// The processes that train together.
    pub group: ProcessGroup,
}

impl Context {
    /// Computes on a device that was chosen.
    #[must_use]
    pub fn new(chosen: &Chosen, kernels: Kernels) -> Self {
        Self {
            device: chosen.device.clone(),
            id: chosen.id,
            precision: Precision::Single,
            kernels,
            group: ProcessGroup::ALONE,
        }
    }

    /// Computes on the CPU with our own kernels.
    #[must_use]
    pub fn cpu() -> Self {
        Self::new(&device::cpu(None), Kernels::On)
    }

    /// The same with other operations on the CPU.
    #[must_use]
    pub fn with_kernels(self, kernels: Kernels) -> Self {
        Self { kernels, ..self }
    }

    /// burn's device, without autodiff.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// burn's device with autodiff.
    #[must_use]
    pub fn autodiff(&self) -> Device {
        self.device.clone().autodiff()
    }

    /// Images that a network should see at once, at the most, to predict. On the CPU more only take
    /// memory: what a layer makes of these still fits the caches, so that the next one finds it there.
    #[must_use]
    pub fn images_at_once(&self) -> usize {
        match self.id {
            DeviceId::Cpu => 192,
            DeviceId::Gpu(_) | DeviceId::Ndarray => usize::MAX,
        }
    }
}
