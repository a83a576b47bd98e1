use proptest::prelude::*;

use super::*;
use crate::testing::{Trial, cases, floats};

/// One line of `torchvision.tsv`.
struct TorchvisionCase<'a> {
    operation: &'a str,
    parameters: Vec<&'a str>,
    size: [usize; 2],
    channels: usize,
    source: Vec<u8>,
    result: Vec<u8>,
}

impl<'a> TorchvisionCase<'a> {
    fn parse(line: &'a str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let shape: Vec<&str> = fields[2].split(' ').collect();
        let [channels, height, width] = [1, 2, 3].map(|i| shape[i].parse::<usize>().unwrap());
        let noise = |i: usize| ((i * i * 31 + i * 7 + 5) % 256) as u8;
        let smooth = |i: usize| {
            let (y, x, c) = (i / channels / width, i / channels % width, i % channels);
            (20 + 50 * c + 6 * y + 5 * x).min(255) as u8
        };
        let values = 0..height * width * channels;
        let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        Self {
            operation: fields[0],
            parameters: fields[1].split(' ').filter(|text| !text.is_empty()).collect(),
            size: [height, width],
            channels,
            source: if shape[0] == "noise" {
                values.map(noise).collect()
            } else {
                values.map(smooth).collect()
            },
            result: fields[3].as_bytes().chunks_exact(2).map(hex).collect(),
        }
    }

    fn number(&self, i: usize) -> f64 {
        self.parameters[i].parse().unwrap()
    }

    fn whole(&self, i: usize) -> usize {
        self.parameters[i].parse().unwrap()
    }

    fn color(&self, i: usize) -> Option<[u8; 3]> {
        let mut numbers = self.parameters[i].split(',').map(str::parse);
        Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
    }

    /// The sampling that parameter `i` and the one after it describe.
    fn sampling(&self, i: usize) -> Sampling {
        let nearest = self.parameters[i] == "nearest";
        let interpolation = if nearest { Interpolation::Nearest } else { Interpolation::Bilinear };
        Sampling { interpolation, fill: self.color(i + 1) }
    }

    fn affine(&self) -> Affine {
        let [angle, tx, ty, scale, x, y] = [0, 1, 2, 3, 4, 5].map(|i| self.number(i));
        let center = self.parameters[6].split_once(',');
        let center = center.map(|(x, y)| [x.parse().unwrap(), y.parse().unwrap()]);
        Affine { angle, translate: [tx, ty], scale, shear: [x, y], center }
    }

    fn policy(&self) -> Affine {
        let magnitude = self.number(1);
        match self.parameters[0] {
            "ShearX" => Affine::shear_x(magnitude),
            "ShearY" => Affine::shear_y(magnitude),
            "TranslateX" => Affine::translate_x(magnitude),
            "TranslateY" => Affine::translate_y(magnitude),
            other => panic!("{other}"),
        }
    }

    fn run(&self, image: &mut Image, scratch: &mut AugmentationScratch) {
        match self.operation {
            "horizontal_flip" => horizontal_flip(image),
            "vertical_flip" => vertical_flip(image),
            "adjust_brightness" => adjust_brightness(image, self.number(0)),
            "adjust_contrast" => adjust_contrast(image, self.number(0)),
            "adjust_saturation" => adjust_saturation(image, self.number(0)),
            "adjust_hue" => adjust_hue(image, self.number(0)),
            "adjust_sharpness" => adjust_sharpness(image, self.number(0), scratch),
            "rgb_to_grayscale" => rgb_to_grayscale(image),
            "invert" => invert(image),
            "posterize" => posterize(image, self.whole(0) as u32),
            "solarize" => solarize(image, self.whole(0) as u8),
            "autocontrast" => autocontrast(image),
            "equalize" => equalize(image),
            "affine" => affine(image, &self.affine(), self.sampling(7), scratch),
            "rotate" => rotate(image, self.number(0), self.sampling(1), scratch),
            "policy" => affine(image, &self.policy(), NEAREST, scratch),
            "gaussian_blur" => gaussian_blur(image, self.whole(0), self.number(1), scratch),
            "gaussian_noise" => {
                let draw = |i| ((i * 37 + 11) % 64) as f32 / 16.0 - 2.0;
                let draws: Vec<f32> = (0..self.source.len()).map(draw).collect();
                gaussian_noise(image, &draws, self.number(0), self.number(1));
            }
            "erase" => {
                let [top, left, height, width] = [0, 1, 2, 3].map(|i| self.whole(i));
                let part = Rectangle { top, left, height, width };
                erase(image, part, self.color(4).unwrap());
            }
            other => panic!("{other}"),
        }
    }
}

const NEAREST: Sampling = Sampling { interpolation: Interpolation::Nearest, fill: None };

/// Runs all lines of a file and answers how many there were and how many values of blurs are off
/// by one.
fn compare(file: &str) -> (usize, usize) {
    let (mut lines, mut off) = (0, 0);
    let mut scratch = AugmentationScratch::default();
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        let case = TorchvisionCase::parse(line);
        let mut data = case.source.clone();
        case.run(&mut Image::new(case.size, case.channels, &mut data), &mut scratch);
        let name = format!("{} {:?} {:?}", case.operation, case.parameters, case.size);
        let differences = data.iter().zip(&case.result).map(|(a, b)| a.abs_diff(*b));
        let (count, largest) =
            differences.fold((0, 0), |(n, max), d| (n + usize::from(d > 0), max.max(d)));
        if case.operation == "gaussian_blur" {
            off += count;
            assert!(largest <= 1, "{name}: {count} values differ, by up to {largest}");
        } else {
            assert_eq!(count, 0, "{name}: {count} values differ, by up to {largest}");
        }
        lines += 1;
    }
    (lines, off)
}

#[test]
fn the_bytes_are_torchvisions() {
    assert_eq!(compare(include_str!("torchvision.tsv")), (104, 0));
}

/// `scripts/make/torchvision-operations --large` prints what this reads.
#[test]
#[ignore = "needs the file that TINDERBOX_PHOTO_TSV names"]
#[allow(clippy::disallowed_methods)]
fn the_bytes_of_large_images_are_torchvisions() {
    let path = std::env::var_os("TINDERBOX_PHOTO_TSV").unwrap();
    let (lines, off) = compare(&std::fs::read_to_string(path).unwrap());
    assert!(lines > 0 && off < 100, "{off} values of blurs are off by one");
}

/// Every operation, with the parameters `extreme` or those that change nothing.
fn operations(extreme: bool) -> Vec<String> {
    let operations = if extreme {
        "adjust_brightness 1e9,adjust_contrast 1e9,adjust_saturation 1e9,adjust_hue 0.31,\
         adjust_sharpness 1e9,rgb_to_grayscale,invert,posterize 0,solarize 0,autocontrast,equalize,\
         horizontal_flip,vertical_flip,gaussian_blur 23 1e-9,gaussian_blur 5 1e9,\
         gaussian_noise 0 1e9,erase 0 0 99 99 1|2|3,rotate 90 nearest -,rotate 33 bilinear 1|2|3,\
         affine 1e9 0 0 1 0 0 - nearest 1|2|3,affine 0 1e30 -1e30 1 0 0 - bilinear -,\
         affine 0 0 0 1e-30 90 90 - nearest -,affine 0 0 0 1e-300 0 0 9|9 bilinear 1|2|3"
    } else {
        "adjust_brightness 1,adjust_contrast 1,adjust_saturation 1,adjust_hue 0,adjust_sharpness 1,\
         posterize 8,gaussian_blur 1 1,gaussian_blur 5 1e-9,gaussian_noise 0 0,erase 0 0 0 0 1|2|3,\
         rotate 360 nearest -,affine 0 0 0 1 0 0 - nearest -,affine 0 0 0 1 0 0 9|9 bilinear 1|2|3"
    };
    operations.split(',').map(|operation| operation.replace('|', ",")).collect()
}

fn run(operation: &str, size: [usize; 2], channels: usize, data: &mut [u8]) {
    let [height, width] = size;
    let (operation, parameters) = operation.split_once(' ').unwrap_or((operation, ""));
    let line = format!("{operation}\t{parameters}\tnoise {channels} {height} {width}\t");
    TorchvisionCase::parse(&line)
        .run(&mut Image::new(size, channels, data), &mut AugmentationScratch::default());
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_size_takes_extreme_parameters_and_neutral_ones_change_nothing(
        size in [1usize..40, 1usize..40],
        thin in 0usize..4,
        color in any::<bool>(),
        seed in any::<u32>(),
    ) {
        let size = [if thin == 1 { 1 } else { size[0] }, if thin == 2 { 1 } else { size[1] }];
        let channels = if color { 3 } else { 1 };
        let source = floats(seed, size[0] * size[1] * channels);
        let source: Vec<u8> = source.iter().map(|x| ((x + 1.0) * 127.99) as u8).collect();
        for trial in Trial::all().take(2) {
            for operation in operations(true) {
                run(&operation, size, channels, &mut trial.copy(&source));
            }
            for operation in operations(false) {
                let mut data = trial.copy(&source);
                run(&operation, size, channels, &mut data);
                prop_assert!(*data == source, "{operation} changes an image of {size:?}");
            }
        }
    }
}

#[test]
fn flips_undo_themselves_and_four_quarters_are_a_turn() {
    for channels in [1, 3] {
        let source: Vec<u8> = (0..25 * channels as u8).collect();
        for (operation, times) in
            [("horizontal_flip", 2), ("vertical_flip", 2), ("rotate 90 nearest -", 4)]
        {
            let mut data = source.clone();
            for _ in 0..times {
                run(operation, [5, 5], channels, &mut data);
            }
            assert_eq!(data, source, "{operation}");
        }
    }
}

#[test]
#[should_panic(expected = "length of the image")]
fn an_image_has_the_length_of_its_size() {
    let _ = Image::new([2, 3], 3, &mut [0; 17]);
}
