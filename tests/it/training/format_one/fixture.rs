//! What is kept of a checkpoint of format 1, and the formula that makes the rest.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::sealed::{File, Tensor};

/// Where the fixtures are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/1/resume")
}

/// 32 bits of `SplitMix64` at `place` of the sequence that starts at `key`.
fn bits(key: u64, place: u64) -> u32 {
    let mut x = key.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 32) as u32
}

/// A number from -1 to 1.
fn even(key: u64, place: usize) -> f64 {
    f64::from(bits(key, place as u64)) / f64::from(1u32 << 31) - 1.0
}

/// FNV-1a of a name.
fn key(name: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325;
    name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Element `i` of the tensor `name`: of the size that such a tensor has, and unlike any other's.
fn value(name: &str, shape: &[usize], i: usize) -> f32 {
    let key = key(name);
    let even = even(key, i);
    // Of a gradient; each tensor has its own, so that two moments that change places are noticed.
    let slope = 1e-3 * (1.0 + f64::from(key as u32 % 1000) / 250.0);
    let value = match name.rsplit('.').next().unwrap_or_default() {
        "first" => slope * (even + 0.2),
        "second" => slope * slope * (1.0 + 0.5 * even),
        "running_var" => 1.0 + 0.5 * even,
        "running_mean" | "bias" => 0.1 * even,
        _ if shape.len() == 1 => 1.0 + 0.5 * even, // what a norm multiplies by
        // He's: the variance is two over the inputs.
        _ => even * (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt(),
    };
    value as f32
}

/// What is remembered of a tensor's values.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// The sum of the absolute values.
    pub size: f64,
    /// The sum of the values, each times a number of its place: in other places, another sum.
    pub places: f64,
    /// The first digits of the SHA-256 of the bytes.
    pub hash: String,
}

impl Figures {
    pub fn of(values: &[f32]) -> Self {
        let size = values.iter().map(|value| f64::from(value.abs())).sum();
        let places = values.iter().enumerate().map(|(i, x)| f64::from(*x) * even(0, i)).sum();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let hash = Sha256::digest(&bytes);
        let hash =
            hash.iter().take(6).fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"));
        Self { size, places, hash }
    }

    /// Whether both come from the same computation, on whatever CPU.
    fn is_near(&self, other: &Self) -> bool {
        let most = 1e-4 * self.size;
        (self.size - other.size).abs() <= most && (self.places - other.places).abs() <= most
    }
}

/// What a fixture's file says.
#[derive(Default)]
pub struct Fixture {
    pub metadata: BTreeMap<String, String>,
    /// Names, shapes, and figures after the resume, in the order of the file.
    pub tensors: Vec<(String, Vec<usize>, Figures)>,
    /// What `state` says after the resume.
    pub after: BTreeMap<String, String>,
}

/// What must be equal in `state`.
const COUNTERS: [&str; 4] = ["step", "best_epoch", "rollbacks", "rate_scale"];

pub fn counters(file: &File) -> BTreeMap<String, String> {
    let state: toml::Table = file.metadata["state"].parse().unwrap();
    COUNTERS.map(|key| (key.to_owned(), state[key].to_string())).into()
}

impl Fixture {
    pub fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(folder().join(format!("{name}.tsv"))).unwrap();
        let mut fixture = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let parts: Vec<&str> = line.split('\t').collect();
            match parts[..] {
                ["metadata", key, text] => {
                    let text = serde_json::from_str(text).unwrap();
                    fixture.metadata.insert(key.to_owned(), text);
                }
                ["after", key, text] => {
                    fixture.after.insert(key.to_owned(), text.to_owned());
                }
                [name, shape, size, places, hash] => {
                    let shape = shape.split(',').map(|side| side.parse().unwrap()).collect();
                    let [size, places] = [size, places].map(|text| text.parse().unwrap());
                    let figures = Figures { size, places, hash: hash.to_owned() };
                    fixture.tensors.push((name.to_owned(), shape, figures));
                }
                _ => panic!("{line}"),
            }
        }
        fixture
    }

    pub fn text(&self) -> String {
        let mut text = String::from(
            "# Written by scripts/make/format-1-fixtures. A tensor: its name, its shape, and after the\n\
             # resume the sum of absolute values, the sum weighted by place, digits of the SHA-256.\n",
        );
        for (key, value) in &self.metadata {
            let value = serde_json::to_string(value).unwrap();
            let _ = writeln!(text, "metadata\t{key}\t{value}");
        }
        for (key, value) in &self.after {
            let _ = writeln!(text, "after\t{key}\t{value}");
        }
        for (name, shape, Figures { size, places, hash }) in &self.tensors {
            let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            let _ = writeln!(text, "{name}\t{shape}\t{size:.8e}\t{places:.8e}\t{hash}");
        }
        text
    }

    /// The checkpoint: every tensor has the values of the formula.
    pub fn checkpoint(&self, scale: f64) -> File {
        let tensors = self.tensors.iter().map(|(name, shape, _)| {
            let scale = if name.starts_with("model.") { scale } else { 1.0 };
            let count = shape.iter().product();
            let value = |i| (f64::from(value(name, shape, i)) * scale) as f32;
            let values = (0..count).map(value).collect();
            Tensor { name: name.clone(), shape: shape.clone(), values }
        });
        File { metadata: self.metadata.clone(), tensors: tensors.collect() }
    }

    /// What in `file` is other than the program of then made it; `exact` to the last bit.
    pub fn differences(&self, file: &File, exact: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut found: BTreeMap<&str, &Tensor> =
            file.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        for (name, _, expected) in &self.tensors {
            let tensor = found.remove(name.as_str());
            let Some(tensor) = tensor.or_else(|| found.remove(self.renamed(name).as_str())) else {
                wrong.push(format!("`{name}` is missing"));
                continue;
            };
            let figures = Figures::of(&tensor.values);
            if !figures.is_near(expected) || exact && figures.hash != expected.hash {
                wrong.push(format!("`{}` is {figures:?}, not {expected:?}", tensor.name));
            }
        }
        wrong.extend(found.keys().map(|name| format!("`{name}` was not there")));
        let after = counters(file);
        if after != self.after {
            wrong.push(format!("the state is {after:?}, not {:?}", self.after));
        }
        wrong
    }

    /// The name of a moment since format 2: that of its parameter in place of its number, which
    /// counts the tensors of the model.
    fn renamed(&self, name: &str) -> String {
        let point = if name.starts_with("good.") { "good." } else { "" };
        let rest = name.strip_prefix(&format!("{point}optimizer."));
        let Some((number, moment)) = rest.and_then(|rest| rest.split_once('.')) else {
            return name.to_owned();
        };
        let prefix = format!("{point}model.");
        let mut parameters =
            self.tensors.iter().filter_map(|(name, ..)| name.strip_prefix(&prefix));
        let parameter = parameters.nth(number.parse().unwrap()).unwrap();
        format!("{point}optimizer.{parameter}.{moment}")
    }
}
