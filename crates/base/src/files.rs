//! Files: every error names its path, every write replaces the whole file or nothing.

#![allow(clippy::disallowed_methods)] // this is the room they are allowed in

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::{Error, Fault, Result, faults};

/// `cannot <verb> <path>`, with the cause and whose fault it is: a missing or unreadable file is
/// an input's, a full disk is the work's, a folder without permission the environment's.
#[must_use]
pub fn error(verb: &str, path: &Path, cause: &io::Error) -> Error {
    use io::ErrorKind as Kind;
    let fault = match cause.kind() {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Fault::Failed,
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Fault::Environment,
        _ => Fault::Input,
    };
    Error::input(format!("cannot {verb} `{}`", path.display())).blame(fault).cause(describe(cause))
}

/// The cause in words, without the operating system's number.
#[must_use]
pub fn describe(cause: &io::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// The whole of a file.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|cause| error("read", path, &cause))
}

/// The whole of a file, unless it is larger than `most` bytes.
///
/// # Errors
/// If it cannot be read or is larger.
pub fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>> {
    let file = fs::File::open(path).map_err(|cause| error("read", path, &cause))?;
    let mut data = Vec::new();
    file.take(most + 1).read_to_end(&mut data).map_err(|cause| error("read", path, &cause))?;
    if data.len() as u64 > most {
        return Err(Error::input(format!("cannot read `{}`", path.display()))
            .cause(format!("it is larger than {}", crate::units::bytes(most))));
    }
    Ok(data)
}

/// The first bytes of a file, at most `most`.
///
/// # Errors
/// If it cannot be read.
pub fn read_head(path: &Path, most: u64) -> Result<Vec<u8>> {
    let file = fs::File::open(path).map_err(|cause| error("read", path, &cause))?;
    let mut data = Vec::new();
    file.take(most).read_to_end(&mut data).map_err(|cause| error("read", path, &cause))?;
    Ok(data)
}

/// The whole of a text file.
///
/// # Errors
/// If it cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|cause| error("read", path, &cause))
}

/// A file opened for reading.
///
/// # Errors
/// If it cannot be opened.
pub fn open(path: &Path) -> Result<fs::File> {
    fs::File::open(path).map_err(|cause| error("read", path, &cause))
}

/// The size of a file in bytes.
///
/// # Errors
/// If there is no such file.
pub fn size(path: &Path) -> Result<u64> {
    fs::metadata(path).map(|meta| meta.len()).map_err(|cause| error("read", path, &cause))
}

/// The names of files that are being written. One that is found later was left by a killed process.
const TORN_PREFIX: &str = ".tinderbox-";
const TORN_SUFFIX: &str = ".tmp";

/// Removes what killed processes left half-written in `folder`, which nobody else writes.
///
/// # Errors
/// If the folder cannot be listed or a file cannot be removed.
pub fn remove_torn(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|cause| error("list", folder, &cause))?;
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(TORN_PREFIX) && name.ends_with(TORN_SUFFIX) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// When a file was last written, in seconds since 1970; none where there is no such file.
#[must_use]
pub fn modified(path: &Path) -> Option<f64> {
    let time = fs::metadata(path).ok()?.modified().ok()?;
    time.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs_f64())
}

/// Writes `data` beside `path`, syncs it and renames it into place, so that a reader sees the old
/// file or the new one, never a half.
///
/// # Errors
/// If the folder cannot be written or the disk is full; the old file is then untouched.
pub fn replace(path: &Path, data: &[u8]) -> Result<()> {
    replace_with(path, data, true)
}

/// Like [`replace`], but a machine that goes down may leave an empty or torn file: for what can be
/// made again and says whether it is whole.
///
/// # Errors
/// As [`replace`].
pub fn replace_unsynced(path: &Path, data: &[u8]) -> Result<()> {
    replace_with(path, data, false)
}

fn replace_with(path: &Path, data: &[u8], is_synced: bool) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TORN_PREFIX).suffix(TORN_SUFFIX);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666)); // less the umask, as for any file
        }
        faults::step(path)?;
        let mut file = builder.tempfile_in(folder)?;
        faults::write(path, file.as_file_mut(), data)?;
        faults::step(path)?;
        if is_synced {
            file.as_file().sync_all()?;
        }
        faults::step(path)?;
        file.persist(path).map_err(|failed| failed.error)?;
        faults::step(path)?;
        #[cfg(unix)]
        if is_synced {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|cause| output_error("write", path, &cause))
}

/// Like [`error`] for a path that is written: whatever is not a full disk is the environment's.
pub(super) fn output_error(verb: &str, path: &Path, cause: &io::Error) -> Error {
    let error = error(verb, path, cause);
    match error.fault {
        Fault::Input => error.blame(Fault::Environment),
        Fault::Failed => error.hint("free some space: what was saved before is untouched"),
        _ => error,
    }
}

/// Makes a folder and those above it.
///
/// # Errors
/// If it cannot be made.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|cause| output_error("make the folder", path, &cause))
}

/// Makes a folder that must not be there yet; `false` when it is.
///
/// # Errors
/// If it cannot be made for another reason.
pub fn claim_folder(path: &Path) -> Result<bool> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(cause) => Err(output_error("make the folder", path, &cause)),
    }
}

/// Whether a file can be made in the folder: it tries.
///
/// # Errors
/// If it cannot.
pub fn check_writable(folder: &Path) -> Result<()> {
    tempfile::Builder::new()
        .prefix(".tinderbox-")
        .tempfile_in(folder)
        .map(drop)
        .map_err(|cause| output_error("write into", folder, &cause))
}

/// Removes a file if it is there.
///
/// # Errors
/// If it is there and cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(output_error("remove", path, &cause))
        }
        _ => Ok(()),
    }
}

/// A new, empty file, in place of one that may be there.
///
/// # Errors
/// If it cannot be made.
pub fn create(path: &Path) -> Result<fs::File> {
    fs::File::create(path).map_err(|cause| output_error("write", path, &cause))
}

/// A file to write on from where it ends, made where there is none.
///
/// # Errors
/// If it cannot be opened.
pub fn extend(path: &Path) -> Result<fs::File> {
    let open = fs::OpenOptions::new().append(true).create(true).open(path);
    open.map_err(|cause| output_error("write", path, &cause))
}

/// What a failure to write `path` means.
#[must_use]
pub fn write_error(path: &Path, cause: &io::Error) -> Error {
    output_error("write", path, cause)
}

/// Copies a file.
///
/// # Errors
/// If it cannot be read or the copy not written.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = open(from)?;
    let mut target = create(to)?;
    io::copy(&mut source, &mut target).map(drop).map_err(|cause| output_error("write", to, &cause))
}

/// Gives a file or folder another name, on the same disk.
///
/// # Errors
/// If it cannot be renamed.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|cause| output_error("write", to, &cause))
}

/// Gives a folder its final name once all that is in it is on the disk: it is there whole or not at
/// all.
///
/// # Errors
/// If it cannot be written or renamed.
pub fn settle_folder(from: &Path, to: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        let failed = |cause: &io::Error| output_error("write", to, cause);
        let folder = fs::File::open(from).map_err(|cause| failed(&cause))?;
        rustix::fs::syncfs(folder).map_err(|cause| failed(&cause.into()))?;
    }
    rename(from, to)?;
    #[cfg(unix)]
    if let Some(parent) = to.parent().filter(|path| !path.as_os_str().is_empty()) {
        let sync = fs::File::open(parent).and_then(|folder| folder.sync_all());
        sync.map_err(|cause| output_error("write", to, &cause))?;
    }
    Ok(())
}

/// Removes a folder and all that is in it, if it is there.
///
/// # Errors
/// If it is there and cannot be removed.
pub fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(output_error("remove", path, &cause))
        }
        _ => Ok(()),
    }
}

/// Fills `buffer` from a file's byte `offset` on.
///
/// # Errors
/// If the file ends before, or cannot be read.
pub fn read_at(file: &fs::File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match read_some_at(file, offset + done as u64, &mut buffer[done..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(())
}

/// Some bytes from a file's byte `offset` on; none at its end.
///
/// # Errors
/// If it cannot be read.
pub fn read_some_at(file: &fs::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, offset);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
}

/// A file without a name, which vanishes with the program, in the folder for temporary files.
///
/// # Errors
/// If none can be made.
pub fn unnamed() -> Result<fs::File> {
    tempfile::tempfile().map_err(|cause| {
        Error::environment("cannot make a temporary file").cause(describe(&cause)).hint(
            "`TMPDIR` names a folder that is writable; in a container `--tmpfs /tmp` makes one",
        )
    })
}

/// What a folder holds, sorted by name, without hidden files.
///
/// # Errors
/// If the folder cannot be listed.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut paths = read().map_err(|cause| error("list", folder, &cause))?;
    paths.retain(|path| !is_hidden(path));
    paths.sort();
    Ok(paths)
}

/// At most `most` of the entries of a folder, in no order, without hidden files.
///
/// # Errors
/// If the folder cannot be listed.
pub fn some(folder: &Path, most: usize) -> Result<Vec<PathBuf>> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
        paths.filter(|path| !path.as_ref().is_ok_and(|path| is_hidden(path))).take(most).collect()
    };
    read().map_err(|cause| error("list", folder, &cause))
}

/// The user and the group that a file belongs to, where the operating system has numbers for them.
#[must_use]
pub fn owner(path: &Path) -> Option<[u32; 2]> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).ok().map(|meta| [meta.uid(), meta.gid()])
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Whether a file's name says that it is not for people: `.DS_Store`, `Thumbs.db`, `__MACOSX`.
#[must_use]
pub fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "__MACOSX" || name.eq_ignore_ascii_case("thumbs.db")
}
