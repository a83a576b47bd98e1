//! A log: a file that is only appended to.

#![allow(clippy::disallowed_methods)] // this is the room they are allowed in

use std::fs;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use crate::files::{output_error, read};
use crate::{Result, faults};

/// A file that is only appended to, one whole line a write. Lines that cannot be written wait for
/// the next one: a full disk loses none of them while the process lives.
#[derive(Debug)]
pub struct Log {
    file: fs::File,
    /// Bytes of the file that are whole lines.
    length: u64,
    waiting: Vec<u8>,
    path: PathBuf,
}

impl Log {
    /// Starts an empty log, replacing what was there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let file = fs::File::create(path).map_err(|cause| output_error("write", path, &cause))?;
        Ok(Self { file, length: 0, waiting: Vec::new(), path: path.to_owned() })
    }

    /// Goes on with a log, of which a torn last line is dropped.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn resume(path: &Path) -> Result<Self> {
        let text = if path.exists() { read(path)? } else { Vec::new() };
        let length = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end as u64 + 1);
        let open = || {
            let mut options = fs::OpenOptions::new();
            options.create(true).write(true).truncate(false).open(path)
        };
        let file = open().map_err(|cause| output_error("write", path, &cause))?;
        let mut log = Self { file, length, waiting: Vec::new(), path: path.to_owned() };
        log.write()?;
        Ok(log)
    }

    /// Appends one line, now or with a later one.
    pub fn line(&mut self, line: &str) {
        self.waiting.extend_from_slice(line.as_bytes());
        self.waiting.push(b'\n');
        let _ = self.write(); // what cannot be written waits
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// If it cannot be written. It goes on waiting.
    pub fn write(&mut self) -> Result<()> {
        let mut append = || -> io::Result<()> {
            self.file.set_len(self.length)?; // less what a write left that failed half-way
            self.file.seek(io::SeekFrom::Start(self.length))?;
            faults::write(&self.path, &mut self.file, &self.waiting)
        };
        append().map_err(|cause| output_error("write", &self.path, &cause))?;
        self.length += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}
