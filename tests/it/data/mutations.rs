//! Images, tables and archives that were damaged in thousands of ways: none makes the program panic, hang or
//! take much memory, and each is named with its reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use image::{DynamicImage, GrayImage};
use tinderbox::base::Folders;
use tinderbox::data::{
    Lock, Reading, Samples, add_missing_splits, apply_stored_groups, inspect, lock, open,
};
use tinderbox::image::{DecodeSize, decode};
use turbojpeg::Subsamp;

use crate::data::sources::{archive, pictures};
use crate::draw::{COLOURS, draw, encode, gzip, idx, jpeg, picture, tree};
use crate::lab::Lab;
use crate::program::hostile::peak;

/// What one image may take while it is decoded, besides its own bytes: the stated bound is 512 MiB for the
/// decoder and as much for the picture.
const MOST_MEMORY: usize = 2 * (512 << 20) + (1 << 20);
/// None of these files is larger than some kilobytes.
const MOST_TIME: Duration = Duration::from_secs(10);

fn long() -> bool {
    std::env::var_os("TINDERBOX_LONG_TESTS").is_some()
}

/// Damage of any kind: cut off, flipped, overwritten, made larger, moved about.
fn damaged(whole: &[u8], random: &mut u64) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    // Half of the changes hit the first bytes, where sizes and types are.
    let place = |random: &mut u64| {
        let part = if draw(random, 2) == 0 { whole.len().min(64) } else { whole.len() };
        draw(random, part)
    };
    match draw(random, 8) {
        0 => bytes.truncate(draw(random, whole.len())),
        1 => bytes[place(random)] ^= 1 << draw(random, 8),
        2 => bytes[place(random)] = draw(random, 256) as u8,
        3 => {
            let at = place(random);
            let end = (at + 4).min(bytes.len());
            bytes[at..end].fill(0xff);
        }
        4 => {
            let (at, count) = (place(random), 1 + draw(random, 400));
            let end = (at + count).min(bytes.len());
            bytes[at..end].fill(0);
        }
        5 => {
            let (at, count) = (place(random), 1 + draw(random, 40));
            let more: Vec<u8> = (0..count).map(|_| draw(random, 256) as u8).collect();
            bytes.splice(at..at, more);
        }
        6 => {
            let (at, count) = (place(random), 1 + draw(random, 40));
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => {
            let (from, to) = (place(random), place(random));
            let count = draw(random, 64).min(whole.len() - from.max(to));
            bytes.copy_within(from..from + count, to);
        }
    }
    bytes
}

/// A picture in every type of file, and in the kinds of JPEG and PNG that have code of their own.
fn originals() -> Vec<(&'static str, Vec<u8>)> {
    let photo = picture(1, 3, 40, 30);
    let types = ["jpg", "png", "webp", "bmp", "gif", "tiff", "qoi"];
    let mut all: Vec<_> = types.iter().map(|kind| (*kind, encode(&photo, kind))).collect();
    all.push(("jpg", jpeg(&photo, |c| c.set_progressive(true).unwrap())));
    all.push(("jpg", jpeg(&photo, |c| c.set_subsamp(Subsamp::Gray).unwrap())));
    let turned = [
        &[0xff, 0xd8, 0xff, 0xe1, 0, 34][..],
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
        &all[0].1[2..],
    ];
    all.push(("jpg", turned.concat()));
    let deep = DynamicImage::ImageRgb8(photo).into_rgba16();
    let grey: GrayImage = DynamicImage::ImageRgba16(deep.clone()).into_luma8();
    for image in [DynamicImage::ImageRgba16(deep), DynamicImage::ImageLuma8(grey)] {
        let mut png = std::io::Cursor::new(Vec::new());
        image.write_to(&mut png, image::ImageFormat::Png).unwrap();
        all.push(("png", png.into_inner()));
    }
    all
}

#[test]
fn a_damaged_image_is_an_error_or_a_picture_within_its_bounds() {
    let each = if long() { 5000 } else { 250 };
    let mut random = 11;
    let mut errors = 0;
    for (kind, whole) in originals() {
        assert!(decode(&whole, DecodeSize::all(3)).is_ok(), "{kind}");
        for number in 0..each {
            let bytes = damaged(&whole, &mut random);
            for want in [DecodeSize::all(3), DecodeSize { channels: 1, least: [8, 8] }] {
                let clock = Instant::now();
                let (result, held) = peak(|| decode(&bytes, want));
                assert!(held <= MOST_MEMORY, "{kind} {number}: {held} bytes");
                assert!(clock.elapsed() < MOST_TIME, "{kind} {number}: {:?}", clock.elapsed());
                match result {
                    Ok(pixels) => assert!(pixels.width > 0 && pixels.height > 0),
                    Err(reason) => {
                        errors += 1;
                        assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
                    }
                }
            }
        }
    }
    assert!(errors > 3 * each, "{errors}");
}

#[test]
fn every_cut_of_a_file_is_an_error_or_a_picture() {
    for (_, whole) in originals() {
        for cut in 0..whole.len().min(600) {
            let _ = decode(&whole[..cut], DecodeSize::all(3));
        }
    }
}

/// What the program said of each bad file.
fn reasons<'a>(list: impl Iterator<Item = &'a serde_json::Value>) -> BTreeMap<String, String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    list.map(|bad| (text(&bad["path"]), text(&bad["reason"]))).collect()
}

#[test]
fn thousands_of_damaged_files_are_named_by_check_and_train() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 8);
    let mut random = 5;
    let originals = originals();
    for number in 0..2000 {
        let (kind, whole) = &originals[number % originals.len()];
        let bytes = damaged(whole, &mut random);
        // One in ten has another type's name, and one in a hundred is empty.
        let kind = if number % 10 == 0 { originals[draw(&mut random, 7)].0 } else { kind };
        let bytes = if number % 100 == 0 { Vec::new() } else { bytes };
        lab.write(format!("datasets/d/{}/x{number}.{kind}", COLOURS[number % 3]), bytes);
    }
    let check = lab.run("datasets check d --max-bad 1 --json");
    assert!([0, 3].contains(&check.code), "{check:?}");
    let found: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
    assert_eq!(found["images"], 2024);
    let found = reasons(found["bad"].as_array().unwrap().iter());
    assert!(found.len() > 500, "{}", found.len());
    assert!(found.keys().all(|path| path.contains("/x")), "a good file is called bad");
    assert!(found.values().all(|reason| !reason.is_empty()));
    let line = "train d --model mlp --size 12 --epochs 1 --max-bad 1 --augment none --name x";
    lab.run(line).good();
    let events = lab.events("x");
    let quarantined = events.iter().filter(|event| event["event"] == "sample_quarantined");
    let quarantined = reasons(quarantined);
    // Training reads no test split, and the scaled decoding of a JPEG may get by without its end.
    assert!(quarantined.keys().all(|path| found.contains_key(path)));
    assert!(quarantined.len() > found.len() / 2, "{} of {}", quarantined.len(), found.len());
}

/// A data set of each form that is one file, and that file.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let mut table = "path,label,split,group\r\n".to_owned();
    for (class, name) in COLOURS.into_iter().enumerate() {
        for number in 0..6 {
            writeln!(table, "\"../t/{name}/{number:03}.png\",{name},train,p{class}").unwrap();
        }
    }
    let entries: Vec<(String, Vec<u8>)> = pictures(4)
        .flat_map(|(class, number, bytes)| {
            let key = format!("{class}{number}");
            [(format!("{key}.png"), bytes), (format!("{key}.cls"), class.into())]
        })
        .collect();
    let tar = archive(&entries);
    let record = |i: usize| [vec![9, (i % 3) as u8], vec![(i * 7) as u8; 3072]].concat();
    let cifar = (0..12).flat_map(record).collect();
    let mut all = vec![
        ("labels.csv", table.into_bytes()),
        ("train-images-idx3-ubyte", idx(&[20, 6, 6], &[7; 720])),
        ("train-labels-idx1-ubyte.gz", gzip(&idx(&[20], &[0, 1].repeat(10)))),
        ("train.tar.gz", gzip(&tar)),
        ("train.tar.zst", zstd::encode_all(&tar[..], 1).unwrap()),
        ("train.tar", tar),
        ("train.bin", cifar),
    ];
    #[cfg(feature = "parquet")]
    all.push(("train-00000-of-00001.parquet", crate::data::sources::hub_file()));
    all
}

#[test]
fn a_damaged_table_or_archive_is_an_error_that_names_it_or_a_data_set() {
    let each = if long() { 4000 } else { 120 };
    let lab = Lab::new();
    tree(&lab, "datasets/t", 6);
    let folders = |name: &str| Folders {
        datasets: lab.path(format!("datasets/{name}")),
        models: lab.path("models"),
        images: lab.path("images"),
    };
    let mut random = 23;
    for (file, whole) in forms() {
        lab.write("datasets/f/train-labels-idx1-ubyte", idx(&[20], &[0, 1].repeat(10)));
        lab.write("datasets/f/train-images-idx3-ubyte", idx(&[20, 6, 6], &[7; 720]));
        if !file.contains("idx") {
            std::fs::remove_dir_all(lab.path("datasets/f")).unwrap();
        } else if file.ends_with("gz") {
            std::fs::remove_file(lab.path("datasets/f/train-labels-idx1-ubyte")).unwrap();
        }
        lab.write("datasets/f/fine_label_names.txt", "a\nb\nc\n");
        let path = format!("datasets/f/{file}");
        let opens = |bytes: &[u8]| {
            lab.write(&path, bytes);
            let clock = Instant::now();
            let (result, held) = peak(|| open("f", &folders(""), &Reading::default()));
            assert!(held <= 256 << 20, "{file}: {held} bytes");
            assert!(clock.elapsed() < MOST_TIME, "{file}: {:?}", clock.elapsed());
            result
        };
        opens(&whole).unwrap_or_else(|error| panic!("{file}: {error:?}"));
        for number in 0..each {
            match opens(&damaged(&whole, &mut random)) {
                Ok(dataset) if number % 8 == 0 => {
                    let found = inspect(&dataset, |_| {});
                    assert!(found.bad.iter().all(|(_, reason)| !reason.is_empty()));
                }
                Ok(_) => {}
                Err(error) => {
                    let said = format!("{error:?}");
                    let named = said.contains(file) || said.contains("datasets/f");
                    assert!(named || said.contains("`f`"), "{file}: {said}");
                }
            }
        }
        std::fs::remove_dir_all(lab.path("datasets/f")).unwrap();
    }
    assert!(Path::new(&lab.path("datasets/t")).is_dir());
}

/// What the program itself keeps of a data set: its split, and what `check` found.
#[test]
fn a_damaged_split_is_an_error_or_a_split() {
    let each = if long() { 20_000 } else { 1000 };
    let lab = Lab::new();
    tree(&lab, "datasets/d", 6);
    let folders = Folders {
        datasets: lab.path("datasets"),
        models: lab.path("models"),
        images: lab.path("images"),
    };
    let mut whole = open("d", &folders, &Reading::default()).unwrap();
    let count = whole.samples().count();
    let header = "# tinderbox datasets check 1\n# set\tbytes\tpath\n";
    let together = whole.samples().take(4).fold(header.to_owned(), |text, sample| {
        let bytes = std::fs::metadata(sample.path().unwrap()).unwrap().len();
        text + &format!("0\t{bytes}\t{}\n", sample.key)
    });
    lab.write("models/.checked/d.tsv", &together);
    assert_eq!(apply_stored_groups(&folders, &mut whole.clone()), 4);
    add_missing_splits(&mut whole, 0.2, 1);
    let samples = whole.splits.clone().map(|split| Samples::new(split, 3));
    let text = Lock::of(&whole).text(&whole, &samples, None);
    let (mut random, mut errors, mut other) = (3, 0, 0);
    for _ in 0..each {
        let bytes = damaged(text.as_bytes(), &mut random);
        match lock::apply(&mut whole.clone(), &String::from_utf8_lossy(&bytes), |_| true) {
            Ok(changes) => other += usize::from(changes != lock::Changes::default()),
            Err(error) => errors += usize::from(!error.message.is_empty()),
        }
        lab.write("models/.checked/d.tsv", damaged(together.as_bytes(), &mut random));
        let mut grouped = whole.clone();
        assert!(
            apply_stored_groups(&folders, &mut grouped) <= 4 && grouped.samples().count() == count
        );
    }
    assert!(errors > each / 2 && other > each / 50, "{errors} errors, {other} other splits");
}
