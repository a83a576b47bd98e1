//! A table of paths and labels, beside three files that it can name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tinderbox_fuzz::LAB;

fuzz_target!(
    init: {
        for name in ["a.png", "b.png", "c.png"] {
            LAB.write(&format!("datasets/d/{name}"), b"no image");
        }
    },
    |bytes: &[u8]| LAB.check_dataset("labels.csv", bytes)
);
