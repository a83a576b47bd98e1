//! A table of data sets for `datasets fetch --manifest`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tinderbox::fetch::sets;
use tinderbox_fuzz::LAB;

fuzz_target!(|bytes: &[u8]| {
    let path = LAB.write("sets.toml", bytes);
    for set in sets(Some(&path)).unwrap_or_default() {
        let _ = (set.bytes(), set.most_bytes());
    }
});
