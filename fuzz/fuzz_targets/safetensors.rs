//! A safetensors file. Its hashes stop most changes; what they would stop at is the target `model`'s.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tinderbox::nn::io::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = decode(bytes) {
        assert_eq!(encode(&file), bytes, "one file, one text");
    }
});
