//! A `dataset.lock`, for a data set of three images.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tinderbox::data::{Dataset, Reading, lock, open};
use tinderbox_fuzz::LAB;

static DATASET: LazyLock<Dataset> = LazyLock::new(|| {
    let images = ["a.png", "b.png", "c.png"];
    let row = |(i, name): (usize, &&str)| format!("{name},class {i},g{i}\n");
    let table: String = images.iter().enumerate().map(row).collect();
    LAB.write("datasets/d/labels.csv", format!("path,label,group\n{table}").as_bytes());
    for name in images {
        LAB.write(&format!("datasets/d/{name}"), name.as_bytes());
    }
    open("d", &LAB.folders(), &Reading::default()).expect("a data set")
});

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut dataset = DATASET.clone();
    let all = dataset.samples().count();
    if let Ok(changes) = lock::apply(&mut dataset, &text, |_| true) {
        assert_eq!(dataset.samples().count() + changes.added.len(), all);
    }
    let _ = (lock::hash_of(&text), lock::learned_contents(&text));
});
