//! Archives into a folder, trusting nothing that they say: no entry leaves the folder, no link is
//! made, and what is written is bounded.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use tinderbox_base::units::{bytes, printable, thousands};
use tinderbox_base::{Error, Result, files};

use crate::known::stays_inside;
use crate::{News, Remote, Set, Watch};

/// Entries of the archives of one data set.
const MOST_ENTRIES: u64 = 4 << 20;

/// What may still be written, and how much an archive may still unpack to.
pub(super) struct Room {
    left: u64,
    entries: u64,
    most: u64,
}

impl Room {
    pub(super) fn new(set: &Set) -> Self {
        let most = set.most_bytes();
        Self { left: most, entries: MOST_ENTRIES, most }
    }

    fn take(&mut self, n: u64, archive: &Path) -> Result<()> {
        match self.left.checked_sub(n) {
            Some(left) => self.left = left,
            None => return Err(too_much(archive, &bytes(self.most))),
        }
        Ok(())
    }

    fn entry(&mut self, archive: &Path) -> Result<()> {
        match self.entries.checked_sub(1) {
            Some(left) => self.entries = left,
            None => {
                return Err(too_much(archive, &format!("{} files", thousands(MOST_ENTRIES))));
            }
        }
        Ok(())
    }
}

fn too_much(archive: &Path, most: &str) -> Error {
    Error::input(format!("cannot unpack `{}`", archive.display()))
        .cause(format!("it holds more than {most}"))
        .hint("if that is right, `unpacked = BYTES` in the manifest allows more")
}

/// Unpacks an archive into `tree`, or copies a file that is none.
///
/// # Errors
/// If it is damaged, would write outside of `tree`, or holds more than there is room for.
pub(super) fn unpack(
    set: &Set,
    path: &Path,
    file: &Remote,
    tree: &Path,
    room: &mut Room,
    watch: Watch,
) -> Result<()> {
    let mut target = Target { filter: Filter::new(set), archive: path, tree, room };
    let kind = Kind::of(file.name());
    match kind {
        Kind::Tar | Kind::TarGz => {
            let source = Counted { file: files::open(path)?, done: 0, watch };
            let source = io::BufReader::with_capacity(1 << 16, source);
            let stream: Box<dyn Read + '_> = match kind {
                Kind::Tar => Box::new(source),
                _ => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            };
            tar(stream, &mut target)
        }
        Kind::Zip => zip(&mut target, watch),
        Kind::Plain => {
            target.room.take(file.size, path)?;
            files::copy(path, &tree.join(file.name()))
        }
    }
}

/// What a file is, as its name says.
#[derive(Clone, Copy)]
enum Kind {
    Tar,
    TarGz,
    Zip,
    Plain,
}

impl Kind {
    fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        if ends(&[".tar"]) {
            Self::Tar
        } else if ends(&[".tar.gz", ".tgz"]) {
            Self::TarGz
        } else if ends(&[".zip"]) {
            Self::Zip
        } else {
            Self::Plain
        }
    }
}

/// Which entries are taken, and what they are called.
struct Filter<'a> {
    inside: &'a Path,
    keep: Vec<Pattern>,
    rename: &'a BTreeMap<String, String>,
}

impl<'a> Filter<'a> {
    fn new(set: &'a Set) -> Self {
        let keep = set.keep.iter().filter_map(|pattern| Pattern::new(pattern).ok()).collect();
        Self { inside: Path::new(&set.inside), keep, rename: &set.rename }
    }

    /// The path of an entry below the data set's folder; none for one that is left out.
    fn place(&self, entry: &Path) -> Option<PathBuf> {
        let parts = entry.components().filter(|part| *part != std::path::Component::CurDir);
        let entry: PathBuf = parts.collect();
        let below = entry.strip_prefix(self.inside).ok()?;
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        let wanted = self.keep.is_empty()
            || self.keep.iter().any(|pattern| pattern.matches_path_with(below, options));
        if below.as_os_str().is_empty() || !wanted {
            return None;
        }
        let renamed = below.iter().map(|part| {
            part.to_str().and_then(|part| self.rename.get(part)).map_or(part, |new| new.as_ref())
        });
        Some(renamed.collect())
    }
}

/// Where entries are written.
struct Target<'a> {
    filter: Filter<'a>,
    archive: &'a Path,
    tree: &'a Path,
    room: &'a mut Room,
}

impl Target<'_> {
    fn damaged(&self, cause: &io::Error) -> Error {
        Error::input(format!("cannot unpack `{}`", self.archive.display()))
            .cause(files::describe(cause))
            .hint("the archive is damaged, or of another kind than its name says")
    }

    /// Where an entry is to be written; none for one that is left out.
    fn place(&mut self, entry: &Path) -> Result<Option<PathBuf>> {
        self.room.entry(self.archive)?;
        if entry.components().all(|part| part == std::path::Component::CurDir) {
            return Ok(None);
        }
        if !stays_inside(entry) {
            let name: String = entry.to_string_lossy().chars().take(200).collect();
            return Err(Error::input(format!("cannot unpack `{}`", self.archive.display()))
                .cause(format!("its entry `{}` leads out of the folder", printable(&name)))
                .hint("such an archive is broken or hostile: nothing of it was kept"));
        }
        Ok(self.filter.place(entry).map(|below| self.tree.join(below)))
    }

    /// Writes one file, as far as there is room.
    fn write(&mut self, path: &Path, content: &mut dyn Read) -> Result<()> {
        if let Some(folder) = path.parent() {
            files::make_folder(folder)?;
        }
        let mut file = files::create(path)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(self.damaged(&cause)),
            };
            self.room.take(read as u64, self.archive)?;
            file.write_all(&buffer[..read]).map_err(|cause| files::write_error(path, &cause))?;
        }
    }
}

fn tar(stream: Box<dyn Read + '_>, target: &mut Target) -> Result<()> {
    // What is skipped is unpacked too: an archive must not keep us busy for ever.
    let limit = target.room.most.saturating_add(1 << 20);
    let mut archive = ::tar::Archive::new(stream.take(limit));
    let entries = archive.entries().map_err(|cause| target.damaged(&cause))?;
    for entry in entries {
        let mut entry = entry.map_err(|cause| target.damaged(&cause))?;
        let name = entry.path().map_err(|cause| target.damaged(&cause))?.into_owned();
        let place = target.place(&name)?;
        // Folders come with their files. Links and devices are never made.
        if let Some(place) = place.filter(|_| entry.header().entry_type().is_file()) {
            target.write(&place, &mut entry)?;
        }
    }
    if archive.into_inner().limit() == 0 {
        return Err(too_much(target.archive, &bytes(target.room.most)));
    }
    Ok(())
}

#[cfg(feature = "network")]
fn zip(target: &mut Target, watch: Watch) -> Result<()> {
    let damaged = |target: &Target, cause: ::zip::result::ZipError| {
        target.damaged(&io::Error::other(cause.to_string()))
    };
    let file = io::BufReader::new(files::open(target.archive)?);
    let mut archive = ::zip::ZipArchive::new(file).map_err(|cause| damaged(target, cause))?;
    let mut done = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|cause| damaged(target, cause))?;
        let name = entry.name().map_err(|cause| damaged(target, cause))?.into_owned();
        // Archives from Windows have the other slash.
        let place = target.place(Path::new(&name.replace('\\', "/")))?;
        done += entry.compressed_size();
        if let Some(place) = place.filter(|_| entry.is_file() && !entry.is_symlink()) {
            target.write(&place, &mut entry)?;
        }
        watch(News::At(done));
    }
    Ok(())
}

#[cfg(not(feature = "network"))]
fn zip(target: &mut Target, _: Watch) -> Result<()> {
    Err(Error::environment(format!(
        "`{}` is a zip archive, which this build of tinderbox does not read",
        target.archive.display()
    ))
    .cause("it was built without the feature `fetch`")
    .hint("`cargo build` and the GPU image read it"))
}

/// A file that tells how far it has been read.
struct Counted<'a> {
    file: std::fs::File,
    done: u64,
    watch: Watch<'a>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done += read as u64;
        (self.watch)(News::At(self.done));
        Ok(read)
    }
}
