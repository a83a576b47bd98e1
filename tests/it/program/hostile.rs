//! Checkpoints that were damaged, or made to do damage.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;

use burn::tensor::Device;
use serde_json::{Value, json};
use tinderbox::nn::io::{File, decode, encode};
use tinderbox::train::{Package, RunDirectory, Saved};

use crate::draw::{colours, draw};
use crate::lab::Lab;

/// Counts the bytes that the current thread holds at the most.
pub struct Counter;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The most bytes held during `work`, above those held before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before) as usize)
}

/// What reading may hold beside three times the file: its own bytes, the tensors, and the header as
/// text and as values.
const BESIDE: usize = 1 << 20;

fn read(bytes: &[u8]) -> Result<Saved, String> {
    let (result, held) = peak(|| decode(bytes).and_then(Saved::new));
    assert!(held <= 3 * bytes.len() + BESIDE, "{held} bytes for a file of {}", bytes.len());
    result.map_err(|error| error.to_string())
}

fn checkpoint(lab: &Lab) -> Vec<u8> {
    let line = "train colours --model cnn --epochs 3 --batch 8 --threads 1 --on-nan rollback";
    lab.run(&format!("{line} --stop-after 12 --name x")).good();
    lab.read("models/x/checkpoint.safetensors")
}

fn mutated(whole: &[u8], random: &mut u64) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let header = u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    // Half of the changes hit the header, where they can do more.
    let place = |random: &mut u64| {
        let part = if draw(random, 2) == 0 { header + 8 } else { whole.len() };
        draw(random, part)
    };
    match draw(random, 6) {
        0 => bytes.truncate(draw(random, whole.len())),
        1 => {
            let at = place(random);
            bytes[at] ^= 1 << draw(random, 8);
        }
        2 => {
            let (at, value) = (place(random), draw(random, 256) as u8);
            bytes[at] = value;
        }
        3 => {
            let size = draw(random, usize::MAX) as u64;
            bytes[..8].copy_from_slice(&size.to_le_bytes());
        }
        4 => {
            let (at, count) = (place(random), 1 + draw(random, 40));
            let more: Vec<u8> = (0..count).map(|_| draw(random, 256) as u8).collect();
            bytes.splice(at..at, more);
        }
        _ => {
            let (from, to) = (place(random), place(random));
            let count = draw(random, 64).min(whole.len() - from.max(to));
            bytes.copy_within(from..from + count, to);
        }
    }
    bytes
}

#[test]
fn a_damaged_checkpoint_is_refused_without_a_panic_or_much_memory() {
    let count = if std::env::var_os("TINDERBOX_LONG_TESTS").is_some() { 5000 } else { 300 };
    let lab = colours();
    let whole = checkpoint(&lab);
    read(&whole).unwrap();
    let mut random = 7;
    for number in 0..count {
        let bytes = mutated(&whole, &mut random);
        assert!(bytes == whole || read(&bytes).is_err(), "mutation {number} is accepted");
    }
}

/// The file with another header, padded as it should be.
fn with_header(whole: &[u8], header: &str) -> Vec<u8> {
    let size = u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    let mut text = header.as_bytes().to_vec();
    text.resize(text.len().next_multiple_of(8), b' ');
    [&(text.len() as u64).to_le_bytes()[..], &text, &whole[8 + size..]].concat()
}

#[test]
fn a_header_that_lies_is_refused() {
    let lab = colours();
    let whole = checkpoint(&lab);
    let size = u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    let text = std::str::from_utf8(&whole[8..8 + size]).unwrap().trim_end().to_owned();
    let header: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&String> = header.as_object().unwrap().keys().skip(1).collect();
    let edited = |name: &str, key: &str, value: Value| {
        let mut header = header.clone();
        header[name][key] = value;
        header.to_string()
    };
    let offsets = header[names[1]]["data_offsets"].clone();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let twice = text.replacen(
        "{\"__metadata__\"",
        &format!("{{{:?}:{},\"__metadata__\"", names[0], header[names[0]]),
        1,
    );
    for (what, header) in [
        ("overlap", edited(names[0], "data_offsets", offsets)),
        ("beyond the end", edited(names[0], "data_offsets", json!([0, 1u64 << 60]))),
        ("backwards", edited(names[0], "data_offsets", json!([64, 0]))),
        ("huge shape", edited(names[0], "shape", json!([1u64 << 62, 1u64 << 62]))),
        ("other type", edited(names[0], "dtype", json!("F64"))),
        ("other shape", edited(names[0], "shape", json!([1]))),
        ("duplicate", twice),
        ("deep", deep.clone()),
        (
            "deep inside",
            text.replacen("{\"__metadata__\"", &format!("{{\"a\":{deep},\"__metadata__\""), 1),
        ),
        ("empty", String::new()),
        ("nothing", "{}".to_owned()),
    ] {
        assert!(read(&with_header(&whole, &header)).is_err(), "{what}");
    }
}

/// What somebody wrote on purpose, hashes included, is refused for what it says.
#[test]
fn a_checkpoint_that_contradicts_itself_is_refused_by_name() {
    let lab = colours();
    let whole = decode(&checkpoint(&lab)).unwrap();
    let resume = |change: &dyn Fn(&mut File)| {
        let mut file = whole.clone();
        change(&mut file);
        lab.write("models/x/checkpoint.safetensors", encode(&file));
        lab.run("train --resume x")
    };
    let state = |from: &str, to: &str| {
        let text = whole.metadata["state"].clone();
        assert!(text.contains(from), "{text}");
        let text = text.replacen(from, to, 1);
        resume(&move |file: &mut File| drop(file.metadata.insert("state".to_owned(), text.clone())))
    };
    let bad = "checkpoint.safetensors";
    state("step = 12", "step = 1200000000").fails(3, &[bad, "contradicts itself"], "");
    state("step = 12", "step = -1").fails(3, &[bad, "`state` cannot be read"], "");
    state("rate_scale = 1.0", "rate_scale = nan").fails(3, &[bad, "contradicts itself"], "");
    resume(&|file| drop(file.metadata.remove("state"))).fails(
        3,
        &[bad, "a model, not a checkpoint"],
        "",
    );
    resume(&|file| drop(file.metadata.remove("settings"))).fails(3, &[bad, "no `settings`"], "");
    resume(&|file| file.tensors[0].values[0] = f32::NAN).fails(3, &[bad, "not finite"], "");
    resume(&|file| drop(file.tensors.remove(0))).fails(3, &[bad, "are missing"], "");
    let unfit = |file: &mut File| {
        let moment =
            file.tensors.iter_mut().find(|tensor| tensor.name.ends_with(".second")).unwrap();
        (moment.shape, moment.values) = (vec![1], vec![0.0]);
    };
    resume(&unfit).fails(3, &[bad, "does not fit"], "");
    assert!(RunDirectory::new(lab.path("models/x")).read().is_ok(), "its hashes are right");
}

/// `fixtures/N` holds what a program of format N wrote; whoever changes the format adds a folder.
#[test]
fn files_of_every_format_so_far_can_be_read() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures");
    let mut formats: Vec<_> =
        fs::read_dir(fixtures).unwrap().map(|at| at.unwrap().path()).collect();
    formats.sort();
    assert!(!formats.is_empty());
    for folder in formats {
        let saved = RunDirectory::new(&folder).read().unwrap();
        assert_eq!((saved.state.step, saved.state.history.len()), (13, 2), "{}", folder.display());
        assert_eq!(saved.settings["model"].as_str(), Some("lenet"));
        let package = Package::read(&folder.join("model.safetensors")).unwrap();
        assert_eq!(package.classes, ["blue", "green", "red"]);
        package.network(&Device::flex()).unwrap();
    }
}
