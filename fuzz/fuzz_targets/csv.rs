//! What finds groups, and a table of paths and labels, beside three files that it can name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tinderbox::data::Reading;
use tinderbox_fuzz::{LAB, two_parts};

fuzz_target!(
    init: {
        for name in ["a.png", "b.png", "c.png"] {
            LAB.write(&format!("datasets/d/{name}"), b"no image");
        }
    },
    |bytes: &[u8]| {
        let (pattern, table) = two_parts(bytes);
        let group = std::str::from_utf8(pattern).ok().filter(|group| !group.is_empty());
        let how = Reading { group: group.map(str::to_owned), ..Reading::default() };
        LAB.check_dataset("labels.csv", table, &how);
    }
);
