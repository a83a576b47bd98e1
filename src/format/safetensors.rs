//! safetensors files. Reading is the `safetensors` crate's work; writing is ours, because the crate
//! keeps metadata in a hash map and writes it in another order every time, and equal trainings
//! have equal files.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use crate::base::{Error, Result, hash};

/// The version of the files that this program writes and reads.
const FORMAT: &str = "1";

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

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Text by key.
    pub metadata: BTreeMap<String, String>,
    /// Tensors in the order of the file.
    pub tensors: Vec<Tensor>,
}

/// The bytes of a file. The version and a BLAKE3 of the tensors are added to the metadata.
#[must_use]
pub fn encode(file: &File) -> Vec<u8> {
    let mut data = Vec::new();
    let mut header = Map::new();
    for tensor in &file.tensors {
        let start = data.len();
        data.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
        header.insert(
            tensor.name.clone(),
            json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [start, data.len()] }),
        );
    }
    let mut metadata = Map::new();
    metadata.insert("tinderbox.format".to_owned(), FORMAT.into());
    metadata.insert("tinderbox.blake3".to_owned(), hash(&data).into());
    metadata.extend(file.metadata.iter().map(|(key, value)| (key.clone(), value.clone().into())));
    let mut whole = Map::new();
    whole.insert("__metadata__".to_owned(), metadata.into());
    whole.extend(header);
    let mut text = Value::Object(whole).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    bytes.extend(data);
    bytes
}

/// Reads the bytes of a file that [`encode`] wrote.
///
/// # Errors
/// If they are something else, of another version, or were changed. The error does not name a
/// file: the caller adds it.
pub fn decode(bytes: &[u8]) -> Result<File> {
    let bad = |cause: String| Error::input("not a model of tinderbox").cause(cause);
    let (header, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|cause| bad(cause.to_string()))?;
    let texts = metadata.metadata().clone().unwrap_or_default();
    match texts.get("tinderbox.format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(other) => {
            return Err(bad(format!("it has format {other}, this program reads format {FORMAT}"))
                .hint("use the version of tinderbox that wrote it, or a newer one"));
        }
        None => return Err(bad("it is a safetensors file of another program".to_owned())),
    }
    let data = &bytes[8 + header..];
    if texts.get("tinderbox.blake3") != Some(&hash(data)) {
        return Err(bad(
            "its content does not match its BLAKE3: it was changed or damaged".to_owned()
        ));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|cause| bad(cause.to_string()))?;
    let mut tensors = Vec::new();
    for name in metadata.offset_keys() {
        let view = file.tensor(&name).map_err(|cause| bad(cause.to_string()))?;
        if view.dtype() != Dtype::F32 {
            return Err(bad(format!("the tensor `{name}` is not of 32-bit floats")));
        }
        let values =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        tensors.push(Tensor { shape: view.shape().to_vec(), values: values.collect(), name });
    }
    Ok(File { metadata: texts.into_iter().collect(), tensors })
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
        File { metadata, tensors: vec![tensor("b", vec![2, 3]), tensor("a", vec![4])] }
    }

    #[test]
    fn what_is_written_is_read_and_is_the_same_every_time() {
        let bytes = encode(&file());
        assert_eq!(bytes, encode(&file()));
        let read = decode(&bytes).unwrap();
        assert_eq!(read.tensors, file().tensors);
        assert_eq!(read.metadata["key7"], "value \"7\" ü");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(decode(&bytes).is_err());
        }

        #[test]
        fn a_byte_changed_anywhere_is_no_panic_and_changes_no_tensor(at in 0usize..1000, to: u8) {
            let mut bytes = encode(&file());
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(read) = decode(&bytes) {
                let values = |file: &File| file.tensors.iter().map(|t| t.values.len()).sum::<usize>();
                proptest::prop_assert_eq!(values(&read), values(&file()));
            }
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
            .replace("\"tinderbox.format\":\"1\"", "\"tinderbox.format\":\"9\"");
        assert!(decode(text.as_bytes()).is_err());
    }
}
