//! An archive that `datasets fetch` unpacks: zip where the first byte is even, else tar.
#![no_main]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
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
    let before = tree();
    if let Ok(fetched) = fetch(&sets[0], &LAB.path("datasets"), &source, &mut |_| {}) {
        let inside = fetched.folder();
        let staging = inside.parent().expect("a folder");
        let mut new = tree();
        new.retain(|path| {
            !before.contains(path) && (*path == inside || !path.starts_with(&inside))
        });
        let expected = [staging.to_owned(), staging.join(".lock"), inside.clone()];
        assert!(new.iter().eq(&expected), "beside the tree there is {new:?}");
        fetched.discard();
    }
    assert_eq!(tree(), before, "something was left behind");
});

/// All files and folders.
fn tree() -> BTreeSet<PathBuf> {
    let all = walkdir::WalkDir::new(LAB.path("")).into_iter();
    all.map(|entry| entry.expect("a folder that can be read").into_path()).collect()
}
