//! Which source pixels make a result, and with which weights.

use std::f64::consts::PI;
use std::ops::Range;

/// How much a pixel counts by its distance, in units of the coarser of the two grids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// A triangle.
    Bilinear,
    /// Keys' cubic with `a = -0.5`, as PIL has it.
    Bicubic,
    /// A sinc within a window of three of its lobes.
    Lanczos,
}

impl Filter {
    /// All.
    pub const ALL: [Self; 3] = [Self::Bilinear, Self::Bicubic, Self::Lanczos];

    /// Beyond this distance the weight is 0.
    #[must_use]
    pub fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight at a distance.
    #[must_use]
    pub fn weight(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic if x < 1.0 => ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
            Self::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
            Self::Bicubic | Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) }
}

/// Bits after the point of a weight: a byte and the sign stay free in 32 bits.
pub(super) const BITS: u32 = 32 - 8 - 2;

/// For each result along one axis, its first source pixel and the weights from there.
#[derive(Debug)]
pub(super) struct FilterWindows {
    starts: Vec<usize>,
    /// Where each window's weights begin, and at last where they end.
    bounds: Vec<usize>,
    weights: Vec<i32>,
}

impl FilterWindows {
    /// Windows for `to` results from `length` pixels behind `start`, out of `from`.
    pub(super) fn new(filter: Filter, start: f64, length: f64, from: usize, to: usize) -> Self {
        let scale = length / to as f64;
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let mut windows =
            Self { starts: Vec::with_capacity(to), bounds: vec![0], weights: Vec::new() };
        let mut exact = Vec::new();
        for result in 0..to {
            let center = start + (result as f64 + 0.5) * scale;
            let first = ((center - support + 0.5) as usize).min(from - 1);
            let end = ((center + support + 0.5) as usize).clamp(first + 1, from);
            exact.clear();
            exact.extend(
                (first..end).map(|x| filter.weight((x as f64 - center + 0.5) * (1.0 / stretch))),
            );
            let sum: f64 = exact.iter().sum();
            let whole = |w: &f64| {
                let w = if sum == 0.0 { *w } else { w / sum } * f64::from(1u32 << BITS);
                (w + 0.5f64.copysign(w)) as i32
            };
            windows.starts.push(first);
            windows.weights.extend(exact.iter().map(whole));
            windows.bounds.push(windows.weights.len());
        }
        windows
    }

    /// How many results there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The first source pixel of a result and the weights from there, at least one.
    #[inline(always)]
    pub(super) fn get(&self, result: usize) -> (usize, &[i32]) {
        (self.starts[result], &self.weights[self.bounds[result]..self.bounds[result + 1]])
    }

    /// The source pixels that any result needs.
    pub(super) fn used(&self) -> Range<usize> {
        let (last, weights) = self.get(self.len() - 1);
        self.starts[0]..last + weights.len()
    }
}
