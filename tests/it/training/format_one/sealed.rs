//! Files of format 1, written and read without the program's own code: a test of what a program of
//! today makes of a file of then must not change with the program.

use std::collections::BTreeMap;

use serde_json::Value;
use tinderbox::base::hash;

/// A tensor of 32-bit floats.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub metadata: BTreeMap<String, String>,
    pub tensors: Vec<Tensor>,
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// The header's text with these two hashes, of which each is 64 characters.
fn header(file: &File, data_hash: &str, own_hash: &str) -> String {
    let own = [("format", "1"), ("blake3", data_hash), ("header", own_hash)];
    let own = own.map(|(key, text)| (format!("tinderbox.{key}"), text.to_owned()));
    let texts = own.into_iter().chain(file.metadata.clone());
    let texts: Vec<String> =
        texts.map(|(key, text)| format!("{}:{}", quoted(&key), quoted(&text))).collect();
    let mut header = format!("{{\"__metadata__\":{{{}}}", texts.join(","));
    let mut start = 0;
    for Tensor { name, shape, values } in &file.tensors {
        let end = start + 4 * values.len();
        let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        header += &format!(
            ",{}:{{\"dtype\":\"F32\",\"shape\":[{shape}],\"data_offsets\":[{start},{end}]}}",
            quoted(name)
        );
        start = end;
    }
    header + "}"
}

/// The bytes of a file of format 1, with its BLAKE3 of the tensors and that of the header.
pub fn write(file: &File) -> Vec<u8> {
    let data: Vec<u8> = file
        .tensors
        .iter()
        .flat_map(|tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()))
        .collect();
    let blank = "0".repeat(64);
    let data_hash = hash(&data);
    let own_hash = hash(header(file, &data_hash, &blank).as_bytes());
    let mut text = header(file, &data_hash, &own_hash).into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    [&(text.len() as u64).to_le_bytes()[..], &text, &data].concat()
}

/// Reads a safetensors file of 32-bit floats of any format of ours; the hashes are not checked.
pub fn read(bytes: &[u8]) -> File {
    let size = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let (text, data) = bytes[8..].split_at(size);
    let Value::Object(mut header) = serde_json::from_slice(text).unwrap() else {
        panic!("a header is an object")
    };
    let metadata = header.remove("__metadata__").unwrap();
    let metadata = metadata.as_object().unwrap().iter();
    let metadata = metadata.map(|(key, text)| (key.clone(), text.as_str().unwrap().to_owned()));
    let metadata = metadata.filter(|(key, _)| !key.starts_with("tinderbox."));
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    let mut entries: Vec<(usize, Tensor)> = Vec::new();
    for (name, entry) in header {
        assert_eq!(entry["dtype"], "F32", "{name}");
        let [start, end] = [0, 1].map(|i| number(&entry["data_offsets"][i]));
        let bytes = data[start..end].chunks_exact(4);
        let values = bytes.map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
        let shape = entry["shape"].as_array().unwrap().iter().map(number).collect();
        entries.push((start, Tensor { name, shape, values }));
    }
    entries.sort_by_key(|(start, _)| *start);
    File {
        metadata: metadata.collect(),
        tensors: entries.into_iter().map(|(_, tensor)| tensor).collect(),
    }
}
