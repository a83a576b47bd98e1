//! A tar archive: WebDataset or folders.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tinderbox::data::Reading;
use tinderbox_fuzz::LAB;

fuzz_target!(|bytes: &[u8]| {
    LAB.check_dataset("train.tar", bytes, &Reading::default());
});
