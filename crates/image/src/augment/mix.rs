//! Two images in one: `MixUp` (Zhang and others, 2018) and `CutMix` (Yun and others, 2019), as
//! torchvision has them. Each image of a batch is mixed with the one before it, the first with the last.

use std::ops::Range;

use tinderbox_base::draw::Draw;

use crate::Augmentation;

/// Mixes the images of a batch, `[N, C, H, W]` with `size` `[C, H, W]`, and says how much of each is
/// its own: that much of the target is its own class, the rest is that of the image before it.
pub fn mix(images: &mut [f32], size: [usize; 3], how: &Augmentation, draw: Draw) -> f32 {
    let is_cut = match (how.mixup > 0.0, how.cutmix > 0.0) {
        (false, false) => return 1.0,
        (true, true) => draw.unit(0) < 0.5,
        (_, cuts) => cuts,
    };
    let own = beta(draw, if is_cut { how.cutmix } else { how.mixup });
    if is_cut {
        let [_, height, width] = size;
        cutmix(images, size, own, [draw.below(1, height), draw.below(2, width)])
    } else {
        mixup(images, size, own)
    }
}

/// Lays each image over the next one.
pub(super) fn mixup(images: &mut [f32], size: [usize; 3], own: f64) -> f32 {
    let [own, other] = [own as f32, (1.0 - own) as f32];
    blend(images, size.iter().product(), |image, before| {
        for (value, before) in image.iter_mut().zip(before) {
            *value = *value * own + before * other;
        }
    });
    own
}

/// Puts a patch around `center`, row and column, of each image into the next one; how much is left
/// of each, which is `own` where no edge cuts the patch off.
pub(super) fn cutmix(images: &mut [f32], size: [usize; 3], own: f64, center: [usize; 2]) -> f32 {
    let [_, height, width] = size;
    let side = |length: usize, center: usize| {
        let half = (0.5 * (1.0 - own).sqrt() * length as f64) as usize;
        center.saturating_sub(half)..(center + half).min(length)
    };
    let [rows, columns] = [side(height, center[0]), side(width, center[1])];
    let area = rows.len() * columns.len();
    cut(images, size, [rows, columns]);
    1.0 - area as f32 / (height * width) as f32
}

/// Puts the patch of each image into the next one.
fn cut(images: &mut [f32], size: [usize; 3], [rows, columns]: [Range<usize>; 2]) {
    let [_, height, width] = size;
    blend(images, size.iter().product(), |image, before| {
        let planes = image.chunks_exact_mut(height * width);
        for (plane, other) in planes.zip(before.chunks_exact(height * width)) {
            for row in rows.clone() {
                let patch = row * width + columns.start..row * width + columns.end;
                plane[patch.clone()].copy_from_slice(&other[patch]);
            }
        }
    });
}

/// Changes each image by the one before it as that was, from the last to the first.
fn blend(images: &mut [f32], values: usize, change: impl Fn(&mut [f32], &[f32])) {
    let count = images.len() / values;
    let Some(last) = count.checked_sub(1) else { return };
    let of_first = images[last * values..].to_vec();
    for index in (1..count).rev() {
        let (before, image) = images.split_at_mut(index * values);
        change(&mut image[..values], &before[(index - 1) * values..]);
    }
    change(&mut images[..values], &of_first);
}

/// A number from the beta distribution with both parameters `alpha`: of two numbers from the gamma
/// distribution, the first one's part of the sum.
fn beta(draw: Draw, alpha: f64) -> f64 {
    let [a, b] = [1 << 10, 1 << 20].map(|block| gamma(draw, block, alpha));
    // Both are 0 where alpha is tiny: then it is one or the other.
    if a + b > 0.0 { a / (a + b) } else { f64::from(draw.unit(3) < 0.5) }
}

/// A number from the gamma distribution (Marsaglia and Tsang, 2000), by the generator's blocks from
/// `block` on.
fn gamma(draw: Draw, block: u32, shape: f64) -> f64 {
    let uniform = |block| (f64::from(draw.word(4 * block)) + 0.5) / 4_294_967_296.0;
    if shape < 1.0 {
        return gamma(draw, block + 1, shape + 1.0) * uniform(block).powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    // One try in twenty fails, so it never comes to the last one.
    for attempt in 0..64 {
        let x = f64::from(draw.normal(block + 2 * attempt));
        let v = (1.0 + c * x).powi(3);
        let u = uniform(block + 2 * attempt + 1);
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_base::draw::Purpose;

    fn draw(position: u64) -> Draw {
        Draw::at(5, 0, position, Purpose::Mix)
    }

    /// Mean 1/2 and variance `1 / (4 (2 alpha + 1))`.
    #[test]
    fn beta_numbers_have_their_mean_and_variance() {
        for alpha in [0.01, 0.2, 1.0, 3.0, 40.0] {
            let numbers: Vec<f64> = (0..20_000).map(|i| beta(draw(i), alpha)).collect();
            let n = numbers.len() as f64;
            let mean = numbers.iter().sum::<f64>() / n;
            let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 4.0 * (expected / n).sqrt(), "{alpha}: mean {mean}");
            assert!((variance / expected - 1.0).abs() < 0.05, "{alpha}: variance {variance}");
        }
        let alike =
            (0..1000).filter(|&i| (beta(draw(i), 1.0) - beta(draw(i + 1), 1.0)).abs() < 1e-9);
        assert_eq!(alike.count(), 0);
    }

    #[test]
    fn mixup_lays_the_image_before_over_each() {
        let how = Augmentation { mixup: 1.0, ..Augmentation::NONE };
        let mut images = vec![1.0, 2.0, 10.0, 20.0, 100.0, 200.0];
        let own = mix(&mut images, [1, 1, 2], &how, draw(1));
        assert!(own > 0.0 && own < 1.0);
        let mixed = |a: f32, b: f32| a * own + b * (1.0 - own);
        let expected = [
            mixed(1.0, 100.0),
            mixed(2.0, 200.0),
            mixed(10.0, 1.0),
            mixed(20.0, 2.0),
            mixed(100.0, 10.0),
            mixed(200.0, 20.0),
        ];
        assert_eq!(images, expected);
    }

    #[allow(clippy::float_cmp)] // small whole numbers
    #[test]
    fn cutmix_takes_a_patch_whose_area_is_what_is_not_its_own() {
        let how = Augmentation { cutmix: 1.0, ..Augmentation::NONE };
        let mut seen = 0;
        for position in 0..50 {
            let plane = 8 * 6;
            let mut images: Vec<f32> =
                (0..3 * 2 * plane).map(|i| (i / (2 * plane)) as f32).collect();
            let own = mix(&mut images, [2, 8, 6], &how, draw(position));
            for (index, image) in images.chunks_exact(2 * plane).enumerate() {
                let other = ((index + 2) % 3) as f32;
                assert!(image.iter().all(|&v| v == index as f32 || v == other));
                let taken = image.iter().filter(|&&v| v == other).count();
                assert!((1.0 - own - taken as f32 / (2 * plane) as f32).abs() < 1e-6);
                seen += usize::from(taken > 0);
            }
        }
        assert!(seen > 100);
    }

    #[allow(clippy::float_cmp)]
    #[test]
    fn both_take_turns_and_one_image_stays_itself() {
        let how = Augmentation { mixup: 1.0, cutmix: 1.0, ..Augmentation::NONE };
        let cuts = (0..100).filter(|&position| {
            let mut images: Vec<f32> = [vec![0.0; 64], vec![1.0; 64]].concat();
            mix(&mut images, [1, 8, 8], &how, draw(position));
            images.iter().all(|&v| v == 0.0 || v == 1.0)
        });
        assert!((30..70).contains(&cuts.count()));
        let mut one = vec![1.0, 2.0, 3.0, 4.0];
        mix(&mut one, [1, 2, 2], &how, draw(3));
        assert!(one.iter().zip([1.0, 2.0, 3.0, 4.0]).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_eq!(mix(&mut [], [1, 2, 2], &Augmentation::NONE, draw(0)), 1.0);
    }
}
