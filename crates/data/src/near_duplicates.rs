//! Which pictures are the same, or nearly: copied, scaled, saved again, made brighter.
//!
//! A picture's fingerprint is a thumbnail of 16 x 16 grey values and 128 bits: the sides of as many
//! random planes on which the thumbnail lies, its brightness left out (Charikar, 2002: the share of
//! bits that differ is the angle between two thumbnails). Pictures whose bits nearly agree are
//! candidates; their thumbnails decide.

use std::sync::OnceLock;

use tinderbox_base::draw::{Draw, Purpose};
use tinderbox_image::{Filter, Pixels};

/// Side of a thumbnail.
const SIDE: usize = 16;
/// Bits that may differ between candidates, of 128.
const MOST_BITS: u32 = 14;
/// A picture with contrast differs somewhere by so much from its mean: 4 grey levels, times 256.
const LEAST_CONTRAST: i32 = 4 * 256;
/// How often the bits are sorted, each time by others first, and how many neighbours are compared
/// each time: work that grows with `n log n`, however many pictures are alike.
const ORDERS: u32 = 8;
const NEIGHBOURS: usize = 24;
/// Thumbnails of one picture differ by at most this, in grey levels on average without the
/// brightness, and by at most this part of their contrast.
const MOST_LEVELS: f32 = 3.0;
const MOST_CONTRAST: f32 = 0.1;

/// What is remembered of a picture.
#[derive(Clone, Debug)]
pub struct Fingerprint {
    /// None where there is no contrast.
    bits: Option<u128>,
    thumbnail: [u8; SIDE * SIDE],
}

/// Two pictures that are nearly the same, by their places among the fingerprints; the smaller first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearDuplicates {
    /// One.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// The mean difference of their thumbnails in grey levels, without the brightness.
    pub difference: f32,
}

impl Fingerprint {
    /// The fingerprint of a picture that has pixels.
    #[must_use]
    pub fn of(pixels: &Pixels) -> Self {
        let small = pixels.resized(pixels.whole(), [SIDE; 2], Filter::Bilinear).with_channels(1);
        let mut thumbnail = [0; SIDE * SIDE];
        thumbnail.copy_from_slice(&small.data);
        // Whole numbers: 256 times the difference from the mean.
        let sum: i32 = thumbnail.iter().map(|&v| i32::from(v)).sum();
        let apart = thumbnail.map(|v| i32::from(v) * (SIDE * SIDE) as i32 - sum);
        let mut bits = 0u128;
        for plane in planes() {
            let signed = |(&value, up): (&i32, &bool)| if *up { value } else { -value };
            let side: i32 = apart.iter().zip(plane).map(signed).sum();
            bits = bits << 1 | u128::from(side > 0);
        }
        // A picture of one colour has no near duplicates: every blank page would be one of every other.
        let has_contrast = apart.iter().any(|value| value.abs() > LEAST_CONTRAST);
        Self { bits: has_contrast.then_some(bits), thumbnail }
    }

    /// How far the thumbnails are apart, in grey levels without the brightness, where that is little.
    fn difference(&self, other: &Self) -> Option<f32> {
        let mean =
            |t: &[u8; SIDE * SIDE]| t.iter().map(|&v| f32::from(v)).sum::<f32>() / t.len() as f32;
        let (a, b) = (mean(&self.thumbnail), mean(&other.thumbnail));
        let (mut apart, mut contrast) = (0.0, 0.0);
        for (&x, &y) in self.thumbnail.iter().zip(&other.thumbnail) {
            let (x, y) = (f32::from(x) - a, f32::from(y) - b);
            apart += (x - y).abs();
            contrast += x.abs().min(y.abs());
        }
        let (apart, contrast) =
            (apart / self.thumbnail.len() as f32, contrast / self.thumbnail.len() as f32);
        (apart <= MOST_LEVELS && apart <= MOST_CONTRAST * contrast + 0.25).then_some(apart)
    }
}

/// The normals of the planes: a sign for each pixel.
fn planes() -> &'static [[bool; SIDE * SIDE]] {
    static PLANES: OnceLock<Vec<[bool; SIDE * SIDE]>> = OnceLock::new();
    PLANES.get_or_init(|| {
        let mut planes = vec![[false; SIDE * SIDE]; 128];
        for (number, plane) in planes.iter_mut().enumerate() {
            let draw = Draw::at(0, 0, number as u64, Purpose::Fingerprint);
            for (pixel, up) in plane.iter_mut().enumerate() {
                *up = draw.word(pixel as u32 / 32) >> (pixel % 32) & 1 == 1;
            }
        }
        planes
    })
}

/// All pairs of near duplicates that are found, sorted.
#[must_use]
pub fn near_duplicates(prints: &[Option<Fingerprint>]) -> Vec<NearDuplicates> {
    let mut order: Vec<(u128, u32)> = (0..)
        .zip(prints)
        .filter_map(|(index, print)| Some((print.as_ref()?.bits?, index)))
        .collect();
    let mut found = Vec::new();
    for _ in 0..ORDERS {
        order.sort_unstable();
        for (place, &(bits, first)) in order.iter().enumerate() {
            for &(other, second) in order[place + 1..].iter().take(NEIGHBOURS) {
                if (bits ^ other).count_ones() <= MOST_BITS {
                    found.push((first.min(second), first.max(second)));
                }
            }
        }
        for (bits, _) in &mut order {
            *bits = bits.rotate_left(128 / ORDERS);
        }
        found.sort_unstable();
        found.dedup();
    }
    let decided = found.into_iter().filter_map(|(first, second)| {
        let (first, second) = (first as usize, second as usize);
        let difference = prints[first].as_ref()?.difference(prints[second].as_ref()?)?;
        Some(NearDuplicates { first, second, difference })
    });
    decided.collect()
}

/// Sets of things that belong together (union-find with path halving).
#[derive(Debug)]
pub struct Sets {
    parents: Vec<u32>,
}

impl Sets {
    /// `n` things, each by itself.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { parents: (0..n as u32).collect() }
    }

    /// The thing that stands for all in the set of `index`: the one with the lowest number.
    pub fn find(&mut self, index: usize) -> usize {
        let mut at = index as u32;
        while self.parents[at as usize] != at {
            let above = self.parents[self.parents[at as usize] as usize];
            self.parents[at as usize] = above;
            at = above;
        }
        at as usize
    }

    /// Puts two sets together.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.parents[a.max(b)] = a.min(b) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A landscape of its own for every number: smooth, so that scaling keeps it.
    fn scene(number: u64, height: usize, width: usize) -> Pixels {
        let draw = Draw::at(number, 0, 0, Purpose::Synthetic);
        let wave = |i: u32, x: f32, y: f32| {
            let at = |j| draw.between(i * 4 + j, 0.5, 6.0);
            (x * at(0) * 3.0 + y * at(1) * 3.0 + at(2)).sin() * at(3)
        };
        let mut data = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let (x, y) = (x as f32 / width as f32, y as f32 / height as f32);
                let value: f32 = (0..6).map(|i| wave(i, x, y)).sum();
                data.extend([0.0, 9.0, 18.0].map(|c: f32| (128.0 + 7.0 * value + c) as u8));
            }
        }
        Pixels::new(width, height, 3, data)
    }

    #[test]
    fn copies_that_were_scaled_or_made_brighter_are_twins_and_others_are_not() {
        let mut prints: Vec<_> = (0..200).map(|i| Fingerprint::of(&scene(i, 60, 80))).collect();
        let whole = scene(17, 60, 80);
        prints.push(Fingerprint::of(&whole.resized(whole.whole(), [33, 41], Filter::Lanczos)));
        let mut brighter = scene(90, 60, 80);
        brighter.data.iter_mut().for_each(|v| *v = v.saturating_add(25));
        prints.push(Fingerprint::of(&brighter));
        let found = near_duplicates(&prints.into_iter().map(Some).collect::<Vec<_>>());
        let pairs: Vec<_> = found.iter().map(|pair| (pair.first, pair.second)).collect();
        assert_eq!(pairs, [(17, 200), (90, 201)]);
    }

    #[test]
    fn blank_pictures_are_no_twins() {
        let blank = || Some(Fingerprint::of(&Pixels::new(8, 8, 1, vec![200; 64])));
        assert!(near_duplicates(&[blank(), blank(), None]).is_empty());
    }

    #[test]
    fn sets_are_joined_over_steps() {
        let mut sets = Sets::new(6);
        sets.join(4, 5);
        sets.join(1, 4);
        sets.join(5, 2);
        let of = [0, 1, 2, 3, 4, 5].map(|i| sets.find(i));
        assert_eq!(of, [0, 1, 1, 3, 1, 1]);
    }
}
