//! What the fuzz targets share: a folder for the files of one input, and what must hold of a data set.

use std::{fs, panic};
use std::path::PathBuf;
use std::sync::LazyLock;

use tempfile::TempDir;
use tinderbox::base::Folders;
use tinderbox::data::{Lock, Reading, Samples, load, lock, open};
use tinderbox::image::DecodeSize;

/// The folder of this process; it stays, because libFuzzer ends the process without a word.
pub static LAB: LazyLock<Lab> = LazyLock::new(Lab::new);

/// A folder with the program's three in it, and a data set `d`.
pub struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        allow_panics_of_libraries();
        let lab = Self(TempDir::new().expect("a temporary folder"));
        for folder in ["datasets/d", "models", "images"] {
            fs::create_dir_all(lab.path(folder)).expect("a folder");
        }
        lab
    }

    /// A path below the folder.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// Writes a file, over an older one.
    pub fn write(&self, below: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(below);
        fs::write(&path, bytes).expect("the folder takes a file");
        path
    }

    /// The program's three folders.
    #[must_use]
    pub fn folders(&self) -> Folders {
        Folders {
            datasets: self.path("datasets"),
            models: self.path("models"),
            images: self.path("images"),
        }
    }

    /// Opens the data set `d` with this file in it. If that is one, its labels are classes, its lock
    /// puts it into the same splits again, and a sample of it is pixels or an error.
    pub fn check_dataset(&self, file: &str, bytes: &[u8], how: &Reading) {
        self.write(&format!("datasets/d/{file}"), bytes);
        let Ok(dataset) = open("d", &self.folders(), how) else { return };
        let classes = dataset.classes.len();
        assert!(dataset.samples().all(|sample| sample.label.stratum(classes) < classes));
        for sample in dataset.samples().take(3) {
            let _ = load(sample, DecodeSize::all(3));
        }
        let samples = dataset.splits.clone().map(|split| Samples::new(split, classes));
        let text = Lock::of(&dataset).text(&dataset, &samples, None);
        let changes = lock::apply(&mut dataset.clone(), &text, |_| false).expect("its own lock fits");
        assert_eq!(changes, lock::Changes::default());
    }
}

/// The program contains the panics of libraries that decode for it. libFuzzer's hook ends the process at
/// every panic; this one at those whose place is not in a crate of the registry.
pub fn allow_panics_of_libraries() {
    let tell = {
        drop(panic::take_hook());
        panic::take_hook()
    };
    panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or("", |place| place.file());
        if !place.contains("/registry/src/") {
            tell(panic);
            std::process::abort();
        }
    }));
}

/// Two parts: the first two bytes are the length of the first, the least byte first.
#[must_use]
pub fn two_parts(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.split_first_chunk() {
        Some((len, rest)) => rest.split_at(rest.len().min(u16::from_le_bytes(*len).into())),
        None => (bytes, &[]),
    }
}
