//! safetensors files. Reading is the `safetensors` crate's work; writing is ours, because the crate
//! keeps metadata in a hash map and writes it in another order every time, and equal trainings
//! have equal files.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::json;
use tinderbox_base::{Error, Result, hash, units};

/// The version of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A model; also a checkpoint that tells the optimiser's moments by number.
    #[default]
    V1,
    /// A checkpoint that tells them by the name of their parameter.
    V2,
}

impl Format {
    /// The version as it is written.
    fn text(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
        }
    }

    /// The version of this text, if this program reads it.
    fn named(text: &str) -> Option<Self> {
        [Self::V1, Self::V2].into_iter().find(|format| format.text() == text)
    }
}

/// Before the names of what [`encode`] adds to the metadata.
const OWN: &str = "tinderbox.";
/// Bytes that a header may have: what a reader allocates beside the file is a small multiple of it.
const MOST_HEADER: u64 = 32 << 20;

/// A named tensor of 32-bit floats.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, the last dimension running fastest.
    pub values: Vec<f32>,
}

impl Tensor {
    /// `[a, b]` as `[b, a]`; other shapes stay as they are.
    #[must_use]
    pub fn transposed(self) -> Self {
        let &[rows, columns] = self.shape.as_slice() else { return self };
        let values =
            (0..rows * columns).map(|i| self.values[i % rows * columns + i / rows]).collect();
        Self { name: self.name, shape: vec![columns, rows], values }
    }
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Its version.
    pub format: Format,
    /// Text by key.
    pub metadata: BTreeMap<String, String>,
    /// Tensors in the order of the file.
    pub tensors: Vec<Tensor>,
}

/// The bytes of a file. To the metadata are added the version, a BLAKE3 of the tensors, and one of
/// everything else in the header.
#[must_use]
pub fn encode(file: &File) -> Vec<u8> {
    let text = header(file);
    let padded = text.len().next_multiple_of(8);
    let size: usize = file.tensors.iter().map(|tensor| 4 * tensor.values.len()).sum();
    let mut bytes = Vec::with_capacity(8 + padded + size);
    bytes.extend((padded as u64).to_le_bytes());
    bytes.extend(&text);
    bytes.resize(8 + padded, b' ');
    for tensor in &file.tensors {
        bytes.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
    }
    let (head, data) = bytes.split_at_mut(8 + padded);
    seal(&mut head[8..8 + text.len()], data);
    bytes
}

/// The header of a file, with zeros for both hashes: there is one such text, so that a file with any
/// other was not written by [`encode`].
fn header(file: &File) -> Vec<u8> {
    serde_json::to_vec(&Header(file)).expect("a map of texts and numbers is JSON")
}

/// Puts the hash of the tensors `data` into their header, and that of the header with zeros in its
/// own place.
fn seal(header: &mut [u8], data: &[u8]) {
    put(header, "blake3", &hash(data));
    let own = hash(header);
    put(header, "header", &own);
}

/// Writes a hash over the zeros of its key, which comes before any text of others.
fn put(header: &mut [u8], key: &str, hash: &str) {
    let key = format!("\"{OWN}{key}\":\"");
    let at = header.windows(key.len()).position(|text| text == key.as_bytes());
    let at = at.expect("a header has its hashes") + key.len();
    header[at..at + hash.len()].copy_from_slice(hash.as_bytes());
}

/// What is written without a copy: the history in it grows with a training.
struct Header<'a>(&'a File);

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("__metadata__", &Metadata(self.0))?;
        let mut start = 0;
        for Tensor { name, shape, values } in &self.0.tensors {
            let end = start + 4 * values.len();
            let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
            map.serialize_entry(name, &entry)?;
            start = end;
        }
        map.end()
    }
}

/// The texts of a file, after those that [`encode`] adds.
struct Metadata<'a>(&'a File);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let blank = "0".repeat(64);
        let own = [("format", self.0.format.text()), ("blake3", &blank), ("header", &blank)];
        let own = own.map(|(key, text)| (format!("{OWN}{key}"), text));
        let own = own.iter().map(|(key, text)| (key, *text));
        to.collect_map(own.chain(self.0.metadata.iter().map(|(key, text)| (key, text.as_str()))))
    }
}

/// Reads the bytes of a file that [`encode`] wrote.
///
/// # Errors
/// If they are something else, of another version, or were changed. The error does not name a
/// file: the caller adds it.
pub fn decode(bytes: &[u8]) -> Result<File> {
    let bad = |cause: String| Error::input("not a model of tinderbox").cause(cause);
    let claimed = bytes.first_chunk().map_or(0, |size| u64::from_le_bytes(*size));
    if claimed > MOST_HEADER {
        return Err(bad(format!("it claims a header of {}", units::bytes(claimed))));
    }
    let (size, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|cause| bad(cause.to_string()))?;
    let texts = metadata.metadata().clone().unwrap_or_default();
    let Some(version) = texts.get("tinderbox.format") else {
        return Err(bad("it is a safetensors file of another program".to_owned()));
    };
    let format = Format::named(version).ok_or_else(|| {
        bad(format!("it has format {version}, this program reads formats 1 and 2"))
            .hint("use the version of tinderbox that wrote it, or a newer one")
    })?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|cause| bad(cause.to_string()))?;
    let mut file = File { format, ..File::default() };
    file.metadata.extend(texts.into_iter().filter(|(key, _)| !key.starts_with(OWN)));
    for name in metadata.offset_keys() {
        let view = tensors.tensor(&name).map_err(|cause| bad(cause.to_string()))?;
        if view.dtype() != Dtype::F32 {
            return Err(bad(format!("the tensor `{name}` is not of 32-bit floats")));
        }
        let values =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let (shape, values) = (view.shape().to_vec(), values.collect());
        file.tensors.push(Tensor { name, shape, values });
    }
    let (text, data) = bytes[8..].split_at(size);
    let mut own = header(&file);
    seal(&mut own, data);
    own.resize(own.len().next_multiple_of(8), b' ');
    if own != text {
        return Err(bad(
            "its content does not match its BLAKE3: it was changed or damaged".to_owned()
        ));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> File {
        let tensor = |name: &str, shape: Vec<usize>| Tensor {
            name: name.to_owned(),
            values: (0..shape.iter().product::<usize>()).map(|i| i as f32 - 2.5).collect(),
            shape,
        };
        let metadata = (0..20).map(|i| (format!("key{i}"), format!("value \"{i}\" ü"))).collect();
        File {
            format: Format::V2,
            metadata,
            tensors: vec![tensor("b", vec![2, 3]), tensor("a", vec![4])],
        }
    }

    #[test]
    fn what_is_written_is_read_and_is_the_same_every_time() {
        let bytes = encode(&file());
        assert_eq!(bytes, encode(&file()));
        let read = decode(&bytes).unwrap();
        assert_eq!(read, file());
        assert_eq!(encode(&read), bytes);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(decode(&bytes).is_err());
        }

        #[test]
        fn a_byte_changed_anywhere_is_refused(at in 0usize..1000, to: u8) {
            let mut bytes = encode(&file());
            let at = at % bytes.len();
            bytes[at] = to;
            proptest::prop_assert!(decode(&bytes).is_err() || bytes == encode(&file()));
        }
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let bytes = encode(&file());
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(decode(&changed).unwrap_err().to_string().contains("BLAKE3"));
        let text = String::from_utf8_lossy(&bytes)
            .replace("\"tinderbox.format\":\"2\"", "\"tinderbox.format\":\"9\"");
        assert!(decode(text.as_bytes()).is_err());
    }
}
