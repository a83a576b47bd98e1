//! An archive that `datasets fetch` unpacks: zip where the first byte is even, else tar.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use tinderbox::fetch::{Source, fetch, sets};
use tinderbox_fuzz::LAB;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let name = if kind % 2 == 0 { "a.zip" } else { "a.tar" };
    let hash = Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let size = bytes.len();
    let manifest = format!(
        "[[set]]\nname = 's'\nunpacked = 1000000\n[[set.file]]\naddresses = ['http://localhost/{name}']\nsize = {size}\nsha256 = '{hash}'\n"
    );
    let place = LAB.write(&format!("images/{name}"), bytes);
    let path = LAB.write("images/sets.toml", manifest.as_bytes());
    let Ok(sets) = sets(Some(&path)) else { return };
    let source = Source { place: Some(place), mirror: None };
    if let Ok(fetched) = fetch(&sets[0], &LAB.path("datasets"), &source, &mut |_| {}) {
        fetched.discard();
    }
    let left = |folder: &str| fs::read_dir(LAB.path(folder)).expect("a folder").count();
    assert_eq!(left(""), 3, "something was written outside");
    assert_eq!(left("datasets"), 1, "something was left behind");
});
