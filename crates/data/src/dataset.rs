//! What a data set holds: classes, and for each split its samples. Nothing is decoded here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use tinderbox_base::units::{list, plural, thousands};
use tinderbox_image::Pixels;

use crate::archive::Archive;
use crate::labels::Label;
use crate::reading::Format;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// What is learned from.
    Train,
    /// What the best model is chosen on.
    Val,
    /// What is read once, at the end.
    Test,
}

impl Split {
    /// All three, in this order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// `train`, `val` or `test`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// One labelled image.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its path below the data set's folder with `/` between the parts, or the file and the number
    /// of the image in it.
    pub key: Box<str>,
    /// What it shows.
    pub label: Label,
    /// What it must not be parted from by a split: a patient, a video, a camera.
    pub group: Option<Box<str>>,
    /// Where its pixels are.
    pub source: Source,
}

impl Sample {
    /// The file of its own that its pixels are in.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        match &self.source {
            Source::Below(root) => Some(root.join(&*self.key)),
            Source::File(path) => Some(path.clone()),
            Source::Part(..) | Source::Memory(..) => None,
        }
    }

    /// The file that its pixels are in, its own or an archive.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match &self.source {
            Source::Part(archive, ..) => Some(archive.path().to_owned()),
            _ => self.path(),
        }
    }

    /// The folder or archive that its pixels are in.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        match &self.source {
            Source::Below(root) => Some(root.to_path_buf()),
            Source::File(path) => path.parent().map(Path::to_path_buf),
            Source::Part(archive, ..) => Some(archive.path().to_owned()),
            Source::Memory(..) => None,
        }
    }
}

/// Where the pixels of a sample are.
#[derive(Clone, Debug)]
pub enum Source {
    /// In a file of their own: the sample's key below this folder.
    Below(Arc<Path>),
    /// In a file of their own whose name is no text, so that the key only resembles it.
    File(PathBuf),
    /// In a part of another file: its first byte and its length.
    Part(Arc<Archive>, u64, u64),
    /// Decoded, in memory.
    Memory(Arc<Store>, usize),
}

/// Images of one size.
#[derive(Debug)]
pub struct Store {
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    data: LazyLock<Vec<u8>, Box<dyn FnOnce() -> Vec<u8> + Send>>,
}

impl Store {
    /// Images whose bytes `[N, H, W, C]` are made when the first one is asked for. `size` is `[H, W, C]`.
    pub fn new(
        [height, width, channels]: [usize; 3],
        make: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Self {
        Self { height, width, channels, data: LazyLock::new(Box::new(make)) }
    }

    /// Image `index` with the given number of channels.
    #[must_use]
    pub fn pixels(&self, index: usize, channels: usize) -> Pixels {
        let data = self.bytes(index).to_vec();
        Pixels::new(self.width, self.height, self.channels, data).with_channels(channels)
    }

    /// The bytes of image `index`, `[H, W, C]`.
    #[must_use]
    pub fn bytes(&self, index: usize) -> &[u8] {
        let size = self.height * self.width * self.channels;
        &self.data[index * size..(index + 1) * size]
    }
}

/// Names of files and folders that are left out, by what they are: `without a label`.
pub type LeftOut = BTreeMap<&'static str, Vec<String>>;

/// A data set.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// Its name: the folder's.
    pub name: String,
    /// Where it lies; `None` for the one inside the program.
    pub path: Option<PathBuf>,
    /// The layout of its files; `None` for the one inside the program.
    pub format: Option<Format>,
    /// The names of the classes in the order of their labels, in Unicode's form C.
    pub classes: Vec<String>,
    /// Whether it is one tree of classes, from which all splits are still to be made.
    pub single_tree: bool,
    /// Class folders that are empty and therefore left out.
    pub empty: Vec<String>,
    /// What else is left out, by what it is.
    pub left_out: LeftOut,
    /// By split, what the file of each sample held once, where a lock tells; empty where none does.
    pub known: [Vec<Option<[u8; 16]>>; 3],
    /// The samples of each split, indexed by [`Split`]; empty where there is no such split.
    pub splits: [Arc<Vec<Sample>>; 3],
}

impl Dataset {
    /// The samples of a split.
    #[must_use]
    pub fn split(&self, split: Split) -> &[Sample] {
        &self.splits[split as usize]
    }

    /// Whether the pixels lie in memory, so that loading costs little.
    #[must_use]
    pub fn in_memory(&self) -> bool {
        matches!(self.split(Split::Train).first().map(|s| &s.source), Some(Source::Memory(..)))
    }

    /// How many images there are in all splits.
    #[must_use]
    pub fn len(&self) -> usize {
        self.splits.iter().map(|split| split.len()).sum()
    }

    /// All samples, split by split.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.splits.iter().flat_map(|split| split.iter())
    }

    /// All samples, to be changed.
    pub fn samples_mut(&mut self) -> impl Iterator<Item = &mut Sample> {
        self.splits.iter_mut().flat_map(|split| Arc::make_mut(split).iter_mut())
    }

    /// The split of each of [`Dataset::samples`].
    pub fn split_of_each(&self) -> impl Iterator<Item = Split> {
        let each = |split| std::iter::repeat_n(split, self.split(split).len());
        Split::ALL.into_iter().flat_map(each)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is left out, in words.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let empty = (!self.empty.is_empty()).then(|| {
            let count = plural(self.empty.len(), "class folder is", "class folders are");
            format!("{count} empty and left out: {}", list(&self.empty, 3))
        });
        let others = self.left_out.iter().map(|(what, names)| {
            format!("{} left out, {what}: {}", thousands(names.len() as u64), list(names, 3))
        });
        empty.into_iter().chain(others).collect()
    }
}
