//! A Parquet file in the layout of the Hugging Face hub.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tinderbox::data::Reading;
use tinderbox_fuzz::LAB;

fuzz_target!(|bytes: &[u8]| {
    LAB.check_dataset("train-00000-of-00001.parquet", bytes, &Reading::default());
});
