//! The three folders: `datasets`, `models`, `images`.

use std::path::{Path, PathBuf};

use crate::env;

/// Where data sets, runs and pictures lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Data sets; only read.
    pub datasets: PathBuf,
    /// One folder a run: the model and all that a resume needs.
    pub models: PathBuf,
    /// One folder a run: pictures.
    pub images: PathBuf,
}

impl Folders {
    /// Each folder from its flag, else its environment variable, else the working directory.
    #[must_use]
    pub fn find(datasets: Option<&Path>, models: Option<&Path>, images: Option<&Path>) -> Self {
        let find = |flag: Option<&Path>, name: &str| {
            let variable = format!("TINDERBOX_{}", name.to_uppercase());
            flag.map(Path::to_owned)
                .or_else(|| env::var(&variable).map(PathBuf::from))
                .unwrap_or_else(|| PathBuf::from(name))
        };
        Self {
            datasets: find(datasets, "datasets"),
            models: find(models, "models"),
            images: find(images, "images"),
        }
    }
}
