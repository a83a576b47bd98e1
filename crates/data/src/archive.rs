//! Where image files lie that are packed into another file: the file itself, or what it unpacks to.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tinderbox_base::{Error, Result, files, units};

/// Up to this size what is unpacked stays in memory.
const IN_MEMORY: u64 = 256 << 20;
/// The most that one data set may unpack to: a compressed file of a few kilobytes can claim to be
/// any size.
const MOST_BYTES: u64 = 1 << 40;

/// A file of which parts are read, from any thread.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Memory(Vec<u8>),
    Disk(File),
}

impl Archive {
    /// A file as it lies.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), data: Data::Disk(files::open(path)?) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes `offset` to `offset + len`.
    ///
    /// # Errors
    /// Why they cannot be read, in words.
    pub fn read(&self, offset: u64, len: usize) -> std::result::Result<Vec<u8>, String> {
        match &self.data {
            Data::Memory(data) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let part = start.checked_add(len).and_then(|end| data.get(start..end));
                part.map(<[u8]>::to_vec).ok_or_else(|| self.ends_early())
            }
            Data::Disk(file) => {
                let mut part = vec![0; len];
                files::read_at(file, offset, &mut part).map_err(|cause| match cause.kind() {
                    std::io::ErrorKind::UnexpectedEof => self.ends_early(),
                    _ => files::describe(&cause),
                })?;
                Ok(part)
            }
        }
    }

    /// Whether it has these bytes.
    pub fn holds(&self, offset: u64, len: u64) -> bool {
        let last = offset.checked_add(len).and_then(|end| end.checked_sub(1));
        len == 0 || last.is_some_and(|last| self.read(last, 1).is_ok())
    }

    /// Some bytes from `offset` on; none at the end.
    pub fn read_some(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &self.data {
            Data::Memory(data) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
                let len = buffer.len().min(data.len() - start);
                buffer[..len].copy_from_slice(&data[start..start + len]);
                Ok(len)
            }
            Data::Disk(file) => files::read_some_at(file, offset, buffer),
        }
    }

    fn ends_early(&self) -> String {
        format!("`{}` ends early", self.path.display())
    }
}

/// Takes bytes one after another: the first in memory, many on disk, in a file without a name that
/// vanishes with the program.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    data: Data,
    len: u64,
}

impl Spool {
    /// For what `path` unpacks to.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), data: Data::Memory(Vec::new()), len: 0 }
    }

    /// Adds bytes and says where they begin.
    ///
    /// # Errors
    /// If there is no room.
    pub fn add(&mut self, bytes: &[u8]) -> Result<u64> {
        let start = self.len;
        self.len += bytes.len() as u64;
        if self.len > MOST_BYTES {
            return Err(Error::input(format!("cannot unpack `{}`", self.path.display()))
                .cause(format!("it is larger than {}", units::bytes(MOST_BYTES))));
        }
        if let (Data::Memory(data), true) = (&self.data, self.len > IN_MEMORY) {
            let mut file = files::unnamed()?;
            file.write_all(data).map_err(|cause| no_room(&self.path, &cause))?;
            self.data = Data::Disk(file);
        }
        match &mut self.data {
            Data::Memory(data) => data.extend_from_slice(bytes),
            Data::Disk(file) => {
                let written = file.write_all(bytes);
                written.map_err(|cause| no_room(&self.path, &cause))?;
            }
        }
        Ok(start)
    }

    /// Adds all that a reader gives.
    ///
    /// # Errors
    /// If it cannot be read, or there is no room.
    pub fn add_all(&mut self, mut from: impl Read) -> Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => _ = self.add(&buffer[..read])?,
                Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => {}
                Err(cause) => {
                    return Err(files::error("unpack", &self.path, &cause)
                        .hint("the file may be cut off or damaged: copy it again"));
                }
            }
        }
    }

    /// What was added, to be read.
    pub fn finish(self) -> Archive {
        Archive { path: self.path, data: self.data }
    }
}

fn no_room(path: &Path, cause: &std::io::Error) -> Error {
    files::error("unpack", path, cause).hint(
        "what is packed is unpacked once, below `TMPDIR` or `/tmp`: make room, or name another folder",
    )
}
