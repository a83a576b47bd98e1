//! Random draws by address: `Draw::at(seed, epoch, position, purpose)` is a value, not a stream.

use tinderbox_kernels::draw::{philox, unit};

/// What a draw is for. Two purposes never share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Purpose {
    /// The order of the samples in an epoch.
    Order = 1,
    /// Which samples validate and test.
    Split = 2,
    /// Which samples are looked at for the statistics of the data.
    Statistics = 3,
    /// The first weights of a layer.
    Weights = 4,
    /// Which elements a dropout layer drops.
    Dropout = 5,
    /// Whether an image is mirrored.
    Flip = 6,
    /// Which part of an image is seen.
    Crop = 7,
    /// How the colours of an image are changed.
    Color = 8,
    /// Which samples a picture shows.
    Pick = 9,
    /// The planes on whose sides a picture's fingerprint lies.
    Fingerprint = 11,
    /// Which operation of a policy changes an image, and how much.
    Policy = 12,
    /// Which patch of an image is erased.
    Erase = 13,
    /// How far an image is turned, scaled and sheared.
    Affine = 14,
    /// Whether an image is blurred, and how much.
    Blur = 15,
    /// The noise on an image.
    Noise = 16,
    /// Which images of a batch are mixed, and how much.
    Mix = 17,
    /// Which samples of a class are seen.
    Balance = 18,
    /// How far an image is shifted.
    Shift = 19,
    /// Whether an image loses its colours.
    Gray = 20,
    /// Data that is made up, for benchmarks and tests.
    Synthetic = 10,
}

/// An address: as many random words as wanted, each a pure function of it and of an index.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    key: [u32; 2],
    high: [u32; 3],
}

impl Draw {
    /// The draws of `purpose` at `position` of `epoch`. For dropout the epoch is the step and the
    /// position is the sample; see [`Draw::layer`].
    #[must_use]
    pub fn at(seed: u64, epoch: u64, position: u64, purpose: Purpose) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            high: [position as u32, epoch as u32, (purpose as u32) << 16],
        }
    }

    /// The same address within one layer of a network.
    #[must_use]
    pub fn layer(mut self, layer: u16) -> Self {
        self.high[2] |= u32::from(layer);
        self
    }

    /// The generator's key, and the words of its counter above the index.
    #[must_use]
    pub fn address(&self) -> ([u32; 2], [u32; 3]) {
        (self.key, self.high)
    }

    /// Word `index` of this address.
    #[must_use]
    pub fn word(&self, index: u32) -> u32 {
        self.block(index / 4)[index as usize % 4]
    }

    /// Words `4 * index` to `4 * index + 3`: one call of the generator.
    #[must_use]
    pub fn block(&self, index: u32) -> [u32; 4] {
        philox([index, self.high[0], self.high[1], self.high[2]], self.key)
    }

    /// Number `index` in `[0, 1)`.
    #[must_use]
    pub fn unit(&self, index: u32) -> f32 {
        unit(self.word(index))
    }

    /// Number `index` in `[low, high)`.
    #[must_use]
    pub fn between(&self, index: u32, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit(index)
    }

    /// Whole number `index` in `[0, n)`, by multiplication (Lemire, 2019); `n` is at least 1. The
    /// bias is below `n / 2^32`.
    #[must_use]
    pub fn below(&self, index: u32, n: usize) -> usize {
        ((u64::from(self.word(index)) * n as u64) >> 32) as usize
    }

    /// Number `index` from the standard normal distribution (Box and Muller, 1958), computed in
    /// `f64` so that it is the same on every machine to the last bit of an `f32`.
    #[must_use]
    pub fn normal(&self, index: u32) -> f32 {
        let [a, b, ..] = self.block(index);
        let radius = (-2.0 * ((f64::from(a) + 1.0) / 4_294_967_296.0).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(b) / 4_294_967_296.0).cos()) as f32
    }
}

/// A permutation of `0..n`: which sample stands at which place of the epoch.
#[must_use]
pub fn permutation(seed: u64, epoch: u64, n: usize, purpose: Purpose) -> Vec<u32> {
    shuffle(Draw::at(seed, epoch, 0, purpose), (0..n as u32).collect())
}

/// `order` shuffled (Fisher and Yates).
#[must_use]
pub fn shuffle(draw: Draw, mut order: Vec<u32>) -> Vec<u32> {
    for i in (1..order.len()).rev() {
        order.swap(i, draw.below(i as u32, i + 1));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_every_part_of_its_address() {
        let base = Draw::at(1, 2, 3, Purpose::Flip).word(0);
        assert_eq!(base, Draw::at(1, 2, 3, Purpose::Flip).word(0));
        for other in [
            Draw::at(2, 2, 3, Purpose::Flip).word(0),
            Draw::at(1, 3, 3, Purpose::Flip).word(0),
            Draw::at(1, 2, 4, Purpose::Flip).word(0),
            Draw::at(1, 2, 3, Purpose::Crop).word(0),
            Draw::at(1, 2, 3, Purpose::Flip).layer(1).word(0),
            Draw::at(1, 2, 3, Purpose::Flip).word(1),
            Draw::at(1 << 32 | 1, 2, 3, Purpose::Flip).word(0),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_permutation_holds_every_number_once_and_changes_with_the_epoch() {
        let order = permutation(7, 0, 1000, Purpose::Order);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
        assert_ne!(order, permutation(7, 1, 1000, Purpose::Order));
        assert!(permutation(7, 0, 0, Purpose::Order).is_empty());
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let draw = Draw::at(3, 0, 0, Purpose::Weights);
        let values: Vec<f64> = (0..20_000).map(|i| f64::from(draw.normal(i))).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.04, "{variance}");
    }
}
