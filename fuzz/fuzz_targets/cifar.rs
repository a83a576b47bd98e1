//! A file of CIFAR-10 or CIFAR-100, as the first byte says.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use tinderbox::data::Reading;
use tinderbox_fuzz::LAB;

fuzz_target!(
    init: {
        for names in ["batches.meta.txt", "fine_label_names.txt"] {
            LAB.write(&format!("datasets/d/{names}"), b"red\ngreen\nblue\n");
        }
        for batch in 2..=5 {
            LAB.write(&format!("datasets/d/data_batch_{batch}.bin"), &[batch % 3; 3073]);
        }
    },
    |bytes: &[u8]| {
        let Some((kind, bytes)) = bytes.split_first() else { return };
        let file = if kind % 2 == 0 {
            "data_batch_1.bin"
        } else {
            let _ = fs::remove_file(LAB.path("datasets/d/data_batch_1.bin"));
            "train.bin"
        };
        LAB.check_dataset(file, bytes, &Reading::default());
    }
);
