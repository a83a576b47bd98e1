//! A shape and the instructions that it is computed with.

use std::fmt::{self, Debug, Display};

use tinderbox_kernels::Isa;
use tinderbox_kernels::draw::{philox, unit};

/// A shape and the instructions that it is computed with.
#[derive(Clone, Copy, Debug)]
pub struct Case<S> {
    pub isa: Isa,
    pub shape: S,
    label: fn(&S) -> String,
}

impl<S> Display for Case<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", (self.label)(&self.shape), self.isa.name())
    }
}

/// Each of the shapes with each instruction set of this CPU; the portable form only where there is
/// no other.
pub fn with_instructions<S: Copy + Debug>(
    (shapes, label): (Vec<S>, fn(&S) -> String),
) -> Vec<Case<S>> {
    let available = Isa::available();
    let fast: Vec<Isa> = available.iter().copied().filter(|&isa| isa != Isa::PORTABLE).collect();
    let sets = if fast.is_empty() { available } else { fast };
    let cases = shapes.into_iter().flat_map(|shape| sets.iter().map(move |&isa| (isa, shape)));
    cases.map(|(isa, shape)| Case { isa, shape, label }).collect()
}

/// `len` numbers between -1 and 1.
pub fn floats(len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| unit(philox([i, 0, 0, 0], [1, 1])[0]) * 2.0 - 1.0).collect()
}
