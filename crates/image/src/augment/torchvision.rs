//! Policies and mixing against torchvision: `scripts/make/torchvision-policy` says what the lines are.

use tinderbox_kernels::augmentation::{AugmentationScratch, Image};

use super::mix::{cutmix, mixup};
use super::operation::{Level, Most, Operation, operate};
use super::pairs;
use super::policy::CHOICE;

/// The fields of all lines of one kind, without it.
fn lines(kind: &str) -> Vec<Vec<&'static str>> {
    let lines = include_str!("torchvision.tsv").lines();
    let fields = lines.filter_map(|line| line.strip_prefix(kind)?.strip_prefix('\t'));
    fields.map(|fields| fields.split('\t').collect()).collect()
}

fn numbers<const N: usize>(text: &str) -> [usize; N] {
    let numbers: Vec<usize> = text.split(' ').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().as_chunks::<2>().0;
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn the_pairs_are_torchvisions() {
    let policies = [&pairs::IMAGENET, &pairs::CIFAR10, &pairs::SVHN];
    let ours = ["imagenet", "cifar10", "svhn"].into_iter().zip(policies);
    let ours = ours.flat_map(|(name, pairs)| pairs.iter().map(move |pair| (name, pair)));
    let theirs = lines("pairs");
    assert_eq!(theirs.len(), ours.clone().count());
    for (fields, (name, pair)) in theirs.iter().zip(ours) {
        assert_eq!(fields[0], name);
        for (field, (operation, share, level)) in fields[1..].chunks(3).zip(pair) {
            let strength = field[2].parse().unwrap_or(0);
            assert_eq!(field[0], format!("{operation:?}"));
            assert_eq!((field[1].parse(), strength), (Ok(*share), *level), "{fields:?}");
        }
    }
}

#[test]
fn the_operations_have_torchvisions_strengths() {
    let all: Vec<_> = CHOICE.into_iter().chain([Operation::Invert]).collect();
    let cases = lines("policy");
    assert!(cases.len() > 100);
    for fields in cases {
        let operation = *all.iter().find(|one| format!("{one:?}") == fields[1]).unwrap();
        let [step, last] = [2, 3].map(|field| fields[field].parse().unwrap());
        let sign = fields[4].parse().unwrap();
        let [channels, height, width] = numbers(fields[5]);
        let mut data: Vec<u8> = (0..channels * height * width)
            .map(|i| ((i * i * 31 + i * 7 + 5) % 256) as u8)
            .collect();
        let mut image = Image::new([height, width], channels, &mut data);
        let most = match fields[0] {
            "trivial" => Most::WIDE,
            _ => Most::usual([height, width]),
        };
        operate(
            operation,
            Level { step, last },
            sign,
            &most,
            &mut image,
            &mut AugmentationScratch::default(),
        );
        assert_eq!(data, hex(fields[6]), "{:?}", &fields[..6]);
    }
}

#[test]
fn images_are_mixed_as_torchvision_mixes_them() {
    let images = |[n, c, h, w]: [usize; 4]| -> Vec<f32> {
        (0..n * c * h * w).map(|i| i as f32 / 4.0).collect()
    };
    let bits = |values: &[f32]| -> Vec<u8> {
        values.iter().flat_map(|value| value.to_be_bytes()).collect()
    };
    let mixups = lines("mixup");
    let cutmixes = lines("cutmix");
    assert_eq!([mixups.len(), cutmixes.len()], [5, 6]);
    for fields in mixups {
        let shape @ [_, c, h, w] = numbers(fields[1]);
        let mut images = images(shape);
        mixup(&mut images, [c, h, w], fields[0].parse().unwrap());
        assert_eq!(bits(&images), hex(fields[2]), "{:?}", &fields[..2]);
    }
    for fields in cutmixes {
        let shape @ [_, c, h, w] = numbers(fields[3]);
        let mut images = images(shape);
        let center = [fields[1], fields[2]].map(|place| place.parse().unwrap());
        let own = cutmix(&mut images, [c, h, w], fields[0].parse().unwrap(), center);
        let expected: f32 = fields[4].parse().unwrap();
        assert!((own - expected).abs() < 1e-6, "{:?}: {own}", &fields[..5]);
        assert_eq!(bits(&images), hex(fields[5]), "{:?}", &fields[..5]);
    }
}
