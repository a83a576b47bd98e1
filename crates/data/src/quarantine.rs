//! Samples of a split, and the one rule for a sample that does not decode: it is replaced by the
//! next sample of its class in index order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tinderbox_base::{Error, Result};
use tinderbox_image::{DecodeSize, Pixels, decode};

use crate::cache::Cache;
use crate::content::content;
use crate::dataset::{Sample, Source};
use crate::labels::Label;
use crate::load::read;

/// A sample that did not decode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSample {
    /// Its index in the split.
    pub index: u32,
    /// Its path below the data set's folder.
    pub key: String,
    /// Why it did not decode.
    pub reason: String,
}

/// The samples of a split with what is known of the bad ones; shared by all loader threads.
#[derive(Debug)]
pub struct Samples {
    all: Arc<Vec<Sample>>,
    /// The indices of each stratum's samples, rising: those of each class, and those without one.
    members: Arc<Vec<Vec<u32>>>,
    bad: Mutex<HashMap<u32, String>>,
    /// What each sample's file held when it was decoded.
    contents: Vec<OnceLock<[u8; 16]>>,
    cache: Arc<Cache>,
    /// Decoded images that stay in memory, and as what they were asked for first: another way to
    /// ask goes past them.
    kept: Vec<OnceLock<Arc<Pixels>>>,
    kept_as: OnceLock<DecodeSize>,
}

impl Samples {
    /// Samples of a split with `classes` classes.
    #[must_use]
    pub fn new(samples: impl Into<Arc<Vec<Sample>>>, classes: usize) -> Arc<Self> {
        Self::cached(samples, classes, &Arc::new(Cache::None))
    }

    /// The same, their decoded images kept in a cache.
    #[must_use]
    pub fn cached(
        samples: impl Into<Arc<Vec<Sample>>>,
        classes: usize,
        cache: &Arc<Cache>,
    ) -> Arc<Self> {
        let samples = samples.into();
        let mut members = vec![Vec::new(); classes + 1];
        for (index, sample) in samples.iter().enumerate() {
            members[sample.label.stratum(classes)].push(index as u32);
        }
        let contents = samples.iter().map(|_| OnceLock::new()).collect();
        let slots = if cache.is_memory() { samples.len() } else { 0 };
        Arc::new(Self {
            all: samples,
            members: Arc::new(members),
            bad: Mutex::default(),
            contents,
            cache: Arc::clone(cache),
            kept: std::iter::repeat_with(OnceLock::new).take(slots).collect(),
            kept_as: OnceLock::new(),
        })
    }

    /// What the file of sample `index` held, once it was decoded, or what its pixels in memory are:
    /// the first 16 bytes of BLAKE3.
    #[must_use]
    pub fn content(&self, index: u32) -> Option<[u8; 16]> {
        match &self.get(index).source {
            Source::Memory(store, image) => Some(content(store.bytes(*image))),
            _ => self.contents[index as usize].get().copied(),
        }
    }

    /// Takes the contents that are `known` for what the files must hold.
    pub fn expect(&self, known: &[Option<[u8; 16]>]) {
        for (content, known) in self.contents.iter().zip(known) {
            if let Some(known) = *known {
                content.get_or_init(|| known);
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many each class has.
    #[must_use]
    pub fn class_counts(&self) -> Vec<usize> {
        self.members[..self.members.len() - 1].iter().map(Vec::len).collect()
    }

    /// The indices of each class's samples, rising; last those without a class.
    #[must_use]
    pub fn members(&self) -> Arc<Vec<Vec<u32>>> {
        Arc::clone(&self.members)
    }

    /// Sample `index`.
    #[must_use]
    pub fn get(&self, index: u32) -> &Sample {
        &self.all[index as usize]
    }

    /// Checks that every class has a sample that decodes.
    ///
    /// # Errors
    /// If one has none.
    pub fn check_classes(&self, want: DecodeSize) -> Result<()> {
        let first = self.members.iter().filter_map(|members| members.first());
        first.copied().try_for_each(|index| self.load(index, want, &mut Vec::new()).map(drop))
    }

    /// The decoded pixels of sample `index` with its label, or of the one that replaces it. Every
    /// bad sample on the way is added to `bad`, also one that was known, so that what a batch
    /// reports does not depend on which thread was first.
    ///
    /// # Errors
    /// If its class has no sample left that decodes.
    pub fn load(
        &self,
        index: u32,
        want: DecodeSize,
        bad: &mut Vec<BadSample>,
    ) -> Result<(Arc<Pixels>, Label)> {
        let members = &self.members[self.get(index).label.stratum(self.members.len() - 1)];
        let place = members.partition_point(|&member| member < index);
        for offset in 0..members.len() {
            let candidate = members[(place + offset) % members.len()];
            match self.try_load(candidate, want) {
                Ok(pixels) => return Ok((pixels, self.get(candidate).label.clone())),
                Err(reason) => {
                    self.check_home(candidate)?;
                    bad.push(BadSample {
                        index: candidate,
                        key: self.get(candidate).key.clone().into(),
                        reason,
                    });
                }
            }
        }
        let sample = self.get(index);
        Err(Error::input(format!("no image of the class of `{}` can be read", sample.key))
            .cause(bad.last().map_or(String::new(), |bad| format!("`{}`: {}", bad.key, bad.reason)))
            .hint("replace the files or remove the class"))
    }

    /// Checks that the place of a sample that cannot be read is still there: that a volume was taken
    /// away is no fault of its images.
    fn check_home(&self, index: u32) -> Result<()> {
        let Some(home) = self.get(index).home() else { return Ok(()) };
        let is_gone = match std::fs::read_dir(&home) {
            Ok(mut entries) => entries.next().is_none(),
            Err(_) => !home.is_file(),
        };
        if !is_gone {
            return Ok(());
        }
        Err(Error::environment(format!("`{}` is gone", home.display()))
            .cause("the images were there when the program began")
            .hint(
                "bring the folder back; a training goes on with `tinderbox train --resume latest`",
            ))
    }

    fn try_load(&self, index: u32, want: DecodeSize) -> std::result::Result<Arc<Pixels>, String> {
        let sample = self.get(index);
        if let Source::Memory(store, image) = &sample.source {
            return Ok(Arc::new(store.pixels(*image, want.channels)));
        }
        let kept =
            self.kept.get(index as usize).filter(|_| *self.kept_as.get_or_init(|| want) == want);
        if let Some(pixels) = kept.and_then(OnceLock::get) {
            return Ok(Arc::clone(pixels));
        }
        if let Some(reason) = self.bad.lock().unwrap_or_else(PoisonError::into_inner).get(&index) {
            return Err(reason.clone());
        }
        let pixels = self.decode(index, want).inspect_err(|reason| {
            self.bad.lock().unwrap_or_else(PoisonError::into_inner).insert(index, reason.clone());
        })?;
        let pixels = Arc::new(pixels);
        if let Some(kept) = kept.filter(|_| self.cache.takes(pixels.data.len())) {
            kept.get_or_init(|| Arc::clone(&pixels));
        }
        Ok(pixels)
    }

    fn decode(&self, index: u32, want: DecodeSize) -> std::result::Result<Pixels, String> {
        let bytes = read(self.get(index))?;
        let content = content(&bytes);
        if *self.contents[index as usize].get_or_init(|| content) != content {
            return Err("it was changed since it was first read".to_owned());
        }
        self.cache.decoded(content, want, || decode(&bytes, want))
    }
}
