//! Decoded images, kept from one epoch to the next: in memory, or in files that trainings share.
//!
//! A file is named after what it was decoded from (BLAKE3 of the image's file) and at which size, so that it can
//! be neither old nor another image's, and begins with the hash of its own content.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tinderbox_base::{files, space};
use tinderbox_image::{DecodeSize, Pixels};

use crate::content::{content, hex};

/// Where decoded images are kept from one epoch to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheKind {
    /// In memory, as many as fit into a quarter of it and into half of what a step leaves.
    Auto,
    /// In memory, as many as fit into half of it and into half of what a step leaves.
    Ram,
    /// In files below the models folder, as long as a fifth of its volume stays free.
    Disk,
    /// Nowhere.
    None,
}

/// Where decoded images are kept; one for all splits of a training.
#[derive(Debug)]
pub enum Cache {
    /// Nowhere.
    None,
    /// In memory: the bytes that it may take, and those of them that are left.
    Memory(u64, AtomicU64),
    /// In a folder, as long as its volume has room.
    Disk(PathBuf),
}

/// The folder below the models: hidden, so that it is no run. Another form of its files has another
/// number.
const FOLDER: &str = ".cache/1";
/// So much of the volume stays free: one part of this many.
const FREE_PART: u64 = 5;
/// The hash, then width, height and channels.
const HEADER: usize = 16 + 3 * 4;

impl Cache {
    /// The cache that `kind` asks for, where there are `memory` bytes of memory.
    #[must_use]
    pub fn open(kind: CacheKind, models: &Path, memory: Option<u64>) -> Arc<Self> {
        let share = |part| memory.map_or(0, |memory| memory / part);
        Arc::new(match kind {
            CacheKind::None => Self::None,
            CacheKind::Auto => Self::Memory(share(4), share(4).into()),
            CacheKind::Ram => Self::Memory(share(2), share(2).into()),
            CacheKind::Disk => Self::Disk(models.join(FOLDER)),
        })
    }

    /// Whether images stay in memory.
    #[must_use]
    pub(super) fn is_memory(&self) -> bool {
        matches!(self, Self::Memory(..))
    }

    /// Takes no more than `most` bytes of memory from now on, with those that are taken: what a step needs
    /// comes first.
    pub fn shrink(&self, most: u64) {
        let Self::Memory(all, left) = self else { return };
        let taken = all - left.load(Ordering::Relaxed);
        left.fetch_min(most.saturating_sub(taken), Ordering::Relaxed);
    }

    /// Whether there is room in memory for so many bytes more, which are then taken.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        let Self::Memory(_, left) = self else { return false };
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(bytes as u64)
        })
        .is_ok()
    }

    /// The image decoded from a file of this content: from the folder, else by `decode`, and then it is
    /// in the folder. What cannot be read or written there is decoded.
    ///
    /// # Errors
    /// Those of `decode`.
    pub(super) fn decoded(
        &self,
        content: [u8; 16],
        want: DecodeSize,
        decode: impl FnOnce() -> Result<Pixels, String>,
    ) -> Result<Pixels, String> {
        let Self::Disk(folder) = self else { return decode() };
        let path = path(folder, content, want);
        if let Some(pixels) = read(&path, want) {
            return Ok(pixels);
        }
        let pixels = decode()?;
        if has_room(folder) {
            // A cache that cannot be written is none.
            let _ = keep(&path, &pixels);
        }
        Ok(pixels)
    }
}

/// 256 folders, so that none has too many files.
fn path(folder: &Path, content: [u8; 16], want: DecodeSize) -> PathBuf {
    let name = hex(content);
    let [height, width] = want.least;
    folder.join(&name[..2]).join(format!("{}-{}x{width}x{height}", &name[2..], want.channels))
}

fn read(path: &Path, want: DecodeSize) -> Option<Pixels> {
    let bytes = files::read(path).ok()?;
    let (hash, rest) = bytes.split_at_checked(16)?;
    if content(rest) != hash {
        return None; // the machine went down while it was written
    }
    let (sizes, data) = rest.split_at_checked(HEADER - 16)?;
    let mut sizes = sizes.as_chunks().0.iter().map(|&size| u32::from_le_bytes(size) as usize);
    let [width, height, channels] = [sizes.next()?, sizes.next()?, sizes.next()?];
    let is_whole = channels == want.channels && data.len() == width * height * channels;
    is_whole.then(|| Pixels::new(width, height, channels, data.to_vec()))
}

fn keep(path: &Path, pixels: &Pixels) -> tinderbox_base::Result<()> {
    let mut bytes = vec![0; 16];
    bytes.reserve(HEADER + pixels.data.len());
    for size in [pixels.width, pixels.height, pixels.channels] {
        bytes.extend_from_slice(&(size as u32).to_le_bytes());
    }
    bytes.extend_from_slice(&pixels.data);
    let hash = content(&bytes[16..]);
    bytes[..16].copy_from_slice(&hash);
    path.parent().map_or(Ok(()), files::make_folder)?;
    files::replace_unsynced(path, &bytes)
}

fn has_room(folder: &Path) -> bool {
    let nearest = folder.ancestors().find(|folder| folder.exists());
    let volume = nearest.and_then(space::volume);
    volume.is_none_or(|[free, all]| free > all / FREE_PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANT: DecodeSize = DecodeSize { channels: 1, least: [2, 3] };

    fn pixels() -> Pixels {
        Pixels::new(3, 2, 1, vec![1, 2, 3, 4, 5, 6])
    }

    #[test]
    fn memory_is_taken_until_none_is_left() {
        let models = Path::new("models");
        let cache = Cache::open(CacheKind::Auto, models, Some(40));
        assert!(cache.takes(6));
        assert!(!cache.takes(5), "a quarter is ten bytes");
        assert!(cache.takes(4));
        let cache = Cache::open(CacheKind::Ram, models, Some(40));
        assert!(cache.takes(12));
        cache.shrink(15);
        assert!(!cache.takes(4), "12 of 15 are taken");
        cache.shrink(100);
        assert!(cache.takes(3) && !cache.takes(1), "it never grows");
        assert!(!Cache::open(CacheKind::Ram, models, None).takes(1));
        assert!(!Cache::open(CacheKind::None, models, Some(100)).takes(1));
    }

    #[test]
    fn a_kept_image_is_not_decoded_again_and_a_torn_one_is() {
        let lab = tempfile::tempdir().unwrap();
        let cache = Cache::open(CacheKind::Disk, lab.path(), None);
        let again = || Err("decoded again".to_owned());
        assert_eq!(cache.decoded([7; 16], WANT, || Ok(pixels())), Ok(pixels()));
        assert_eq!(cache.decoded([7; 16], WANT, again), Ok(pixels()));
        let larger = DecodeSize { least: [9, 9], ..WANT };
        assert!(cache.decoded([7; 16], larger, again).is_err(), "another size is another image");
        assert!(cache.decoded([8; 16], WANT, again).is_err());
        let path = path(&lab.path().join(FOLDER), [7; 16], WANT);
        let whole = files::read(&path).unwrap();
        for torn in [&whole[..20], &whole[..whole.len() - 1], &vec![0; whole.len()], &[]] {
            files::replace(&path, torn).unwrap();
            assert!(cache.decoded([7; 16], WANT, again).is_err());
        }
        assert_eq!(cache.decoded([7; 16], WANT, || Ok(pixels())), Ok(pixels()));
        assert_eq!(cache.decoded([7; 16], WANT, again), Ok(pixels()));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_no_error() {
        let lab = tempfile::tempdir().unwrap();
        files::replace(&lab.path().join(".cache"), b"a file").unwrap();
        let cache = Cache::open(CacheKind::Disk, lab.path(), None);
        assert_eq!(cache.decoded([7; 16], WANT, || Ok(pixels())), Ok(pixels()));
    }
}
