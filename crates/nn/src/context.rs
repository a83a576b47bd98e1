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

#[cfg(test)]
mod tests {
    use std::thread;

    use burn::module::{Module, ModuleVisitor, Param};
    use burn::tensor::{Gradients, Tensor, TensorData};
    use tinderbox_base::draw::{Draw, Purpose};

    use super::*;
    use crate::{ForwardContext, Model, Network, spec, values};

    const INPUT: [usize; 3] = [3, 32, 32];

    struct Collect<'a>(&'a Gradients, Vec<f32>);

    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = param.val().grad(self.0);
            self.1.extend(gradient.into_iter().flat_map(|gradient| values(gradient).unwrap()));
        }
    }

    /// The gradients of one training step of a network.
    fn gradients(kernels: Kernels) -> Vec<f32> {
        let context = Context::cpu().with_kernels(kernels);
        let network =
            spec("cnn", INPUT, 4).and_then(|spec| Network::new(&spec, 0, context.device()));
        let network = network.unwrap().train();
        let draw = Draw::at(1, 0, 0, Purpose::Synthetic);
        let images =
            (0..2 * INPUT.iter().product::<usize>() as u32).map(|i| draw.normal(i)).collect();
        let [c, h, w] = INPUT;
        let images =
            Tensor::from_data(TensorData::new::<f32, _>(images, [2, c, h, w]), &context.autodiff());
        let scores = network.forward(images, &ForwardContext::training(&context, 0, 0));
        let gradients = (scores.clone() * scores).sum().backward();
        let mut collect = Collect(&gradients, Vec::new());
        network.visit(&mut collect);
        collect.1
    }

    #[test]
    fn contexts_with_other_kernels_compute_side_by_side() {
        let kinds = [Kernels::On, Kernels::Direct, Kernels::Off];
        let alone = kinds.map(gradients);
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            assert_ne!(alone[a], alone[b], "{:?} and {:?} round alike", kinds[a], kinds[b]);
        }
        for _ in 0..3 {
            let together = thread::scope(|scope| {
                kinds
                    .map(|kind| scope.spawn(move || gradients(kind)))
                    .map(|one| one.join().unwrap())
            });
            assert_eq!(together, alone);
        }
    }
}
