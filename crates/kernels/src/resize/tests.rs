use proptest::prelude::*;

use super::*;
use crate::draw::philox;
use crate::testing::{Trial, cases};

fn run(how: &Resize, source: &[u8], trial: Trial) -> Vec<u8> {
    let source = trial.copy(source);
    let mut target = trial.copy(&vec![77u8; how.to[0] * how.to[1] * how.channels]);
    how.run(trial.isa, &source, &mut target, &mut ResizeScratch::default());
    target.to_vec()
}

proptest! {
    #![proptest_config(cases())]

    /// Each of the two roundings moves a bilinear value by one half at most: its weights are
    /// positive and their sum is 1. The other filters cut between the passes what their negative
    /// weights push out of a byte; `pil.tsv` has them.
    #[test]
    fn every_instruction_set_rounds_the_reference(
        from in [1usize..40, 1usize..40],
        to in [1usize..24, 1usize..30],
        color in any::<bool>(),
        filter in prop::sample::select(Filter::ALL.to_vec()),
        part in [0.0f64..0.4, 0.0f64..0.4, 0.3f64..1.0, 0.3f64..1.0],
        whole in any::<bool>(),
        seed in any::<u32>(),
    ) {
        let channels = if color { 3 } else { 1 };
        let [height, width] = from.map(|side| side as f64);
        let (left, top) = (part[0] * width, part[1] * height);
        let area = [left, top, (width - left) * part[2], (height - top) * part[3]];
        let area = if whole { [0.0, 0.0, width, height] } else { area };
        let how = Resize { from, area, to, channels, filter };
        let len = (from[0] * from[1] * channels) as u32;
        let source: Vec<u8> = (0..len).map(|i| philox([i, 0, 0, 0], [seed, 9])[0] as u8).collect();
        let mut first: Option<Vec<u8>> = None;
        for trial in Trial::all() {
            let result = run(&how, &source, trial);
            if filter == Filter::Bilinear {
                for (&value, exact) in result.iter().zip(reference::resize(&how, &source)) {
                    prop_assert!((f64::from(value) - exact).abs() < 1.001, "{value} is not {exact}: {how:?}");
                }
            }
            prop_assert_eq!(first.get_or_insert_with(|| result.clone()), &result);
        }
    }
}

#[test]
fn the_bytes_are_pils() {
    let mut cases = 0;
    for line in include_str!("pil.tsv").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let whole = |i: usize| fields[i].parse::<usize>().unwrap();
        let exact = |i: usize| fields[i].parse::<f64>().unwrap();
        let filter = match fields[0] {
            "bilinear" => Filter::Bilinear,
            "bicubic" => Filter::Bicubic,
            _ => Filter::Lanczos,
        };
        let how = Resize {
            from: [whole(2), whole(3)],
            area: [4, 5, 6, 7].map(exact),
            to: [whole(8), whole(9)],
            channels: whole(1),
            filter,
        };
        let len = how.from[0] * how.from[1] * how.channels;
        let source: Vec<u8> = (0..len).map(|i| ((i * i * 31 + i * 7 + 5) % 256) as u8).collect();
        let wanted = |i: usize| u8::from_str_radix(&fields[10][2 * i..2 * i + 2], 16).unwrap();
        let wanted: Vec<u8> = (0..fields[10].len() / 2).map(wanted).collect();
        for trial in Trial::all() {
            assert_eq!(run(&how, &source, trial), wanted, "{how:?} {trial:?}");
        }
        cases += 1;
    }
    assert_eq!(cases, 54);
}
