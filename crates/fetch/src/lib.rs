//! Data sets from the network: download, check, unpack, arrange; then one rename.
//!
//! All work is done in a hidden folder beside the data set, `.fetch-<name>`, which a killed fetch
//! leaves and the next one of that name continues. What has been downloaded in part stays there,
//! what has been unpacked in part is thrown away.

mod arrange;
#[cfg(feature = "network")]
mod download;
mod known;
mod unpack;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use known::{Labels, Remote, Set, find, is_known, sets};

use tinderbox_base::lock::Lock;
use tinderbox_base::units::{bytes, list};
use tinderbox_base::{Error, Fault, Result, files, space};

/// What a fetch is about to do or has done; for whoever shows it.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// Something begins: its name, and how much there is to do.
    Begin(&'a str, u64),
    /// So much of it is done.
    At(u64),
    /// A line for people.
    Say(&'a str),
}

/// Who is told of news.
pub type Watch<'a> = &'a mut dyn FnMut(News);

/// Where files come from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// A file or folder on this machine, in place of the network.
    pub place: Option<PathBuf>,
    /// The address of a mirror, which is tried first.
    pub mirror: Option<String>,
}

/// A data set that has been fetched and is not yet at its place.
#[derive(Debug)]
pub struct Fetched {
    staging: PathBuf,
    target: PathBuf,
    /// Keeps others out of the hidden folder until the end.
    _lock: Lock,
}

/// Fetches a data set into a hidden folder of `datasets`.
///
/// # Errors
/// If it is there already, cannot be had, is not what it should be, or cannot be written.
pub fn fetch(set: &Set, datasets: &Path, source: &Source, watch: Watch) -> Result<Fetched> {
    let target = datasets.join(&set.name);
    refuse_existing(&target)?;
    let local = source.place.as_deref().map(|place| local(set, place)).transpose()?;
    #[cfg(not(feature = "network"))]
    if local.is_none() {
        return Err(no_network(set));
    }
    let staging = datasets.join(format!(".fetch-{}", set.name));
    files::make_folder(&staging).map_err(not_writable)?;
    let lock = Lock::acquire_to(&staging, "fetched").map_err(not_writable)?;
    match fill(set, &staging, local, source, watch) {
        Ok(()) => Ok(Fetched { staging, target, _lock: lock }),
        Err(error) => {
            clear(&staging);
            Err(error)
        }
    }
}

/// Makes the data set in its hidden folder.
fn fill(
    set: &Set,
    staging: &Path,
    local: Option<Vec<PathBuf>>,
    source: &Source,
    watch: Watch,
) -> Result<()> {
    let tree = staging.join("tree");
    files::remove_folder(&tree)?;
    let paths = match local {
        Some(paths) => paths,
        None => download_all(set, staging, source, watch)?,
    };
    files::make_folder(&tree)?;
    let mut room = unpack::Room::new(set);
    for (file, path) in set.files.iter().zip(&paths) {
        watch(News::Begin(&format!("unpacking {}", file.name()), file.size));
        unpack::unpack(set, path, file, &tree, &mut room, watch)?;
    }
    arrange::arrange(set, &tree)
}

/// After a failure: what was downloaded stays for the next fetch, and nothing else.
fn clear(staging: &Path) {
    let downloads = files::list(&staging.join("files")).unwrap_or_default();
    let rest = if downloads.is_empty() { staging.to_owned() } else { staging.join("tree") };
    let _ = files::remove_folder(&rest); // the failure itself is what is told
}

impl Fetched {
    /// Where it lies now.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.staging.join("tree")
    }

    /// Moves it to its place, at once and whole, and removes what it was made from.
    ///
    /// # Errors
    /// If something has come to lie there in the meantime, or the disk fails.
    pub fn settle(self) -> Result<PathBuf> {
        let Self { staging, target, _lock } = self;
        refuse_existing(&target)?;
        files::settle_folder(&staging.join("tree"), &target)?;
        files::remove_folder(&staging)?;
        Ok(target)
    }

    /// Throws away what was unpacked; downloads stay.
    pub fn discard(self) {
        clear(&self.staging);
    }
}

/// What is there already is never touched.
fn refuse_existing(target: &Path) -> Result<()> {
    if target.symlink_metadata().is_err() {
        return Ok(());
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    Err(Error::usage(format!("`{}` is there already", target.display()))
        .cause("what is in the datasets folder is never overwritten")
        .hint(format!(
            "`tinderbox train {name}` trains on it; remove or rename it to fetch `{name}` again"
        )))
}

fn not_writable(error: Error) -> Error {
    match error.fault {
        Fault::Environment => error.hint(
            "`fetch` is the one command that writes into the datasets folder: mount it without `:ro`, or name another with `--datasets DIR`",
        ),
        _ => error,
    }
}

/// Checks that the disk has room for what is still to be downloaded.
#[cfg(feature = "network")]
fn require_space(set: &Set, folder: &Path) -> Result<()> {
    let size = |name: String| files::size(&folder.join(name)).unwrap_or(0);
    let have = |file: &Remote| size(file.name().to_owned()) + size(format!("{}.part", file.name()));
    let needed = set.bytes().saturating_sub(set.files.iter().map(have).sum());
    match space::free(folder) {
        Some(free) if free < needed => {
            Err(Error::failed(format!("no room for `{}` in `{}`", set.name, folder.display()))
                .cause(format!("{} are to be downloaded, {} are free", bytes(needed), bytes(free)))
                .hint("free some space, or name a folder on another disk with `--datasets DIR`"))
        }
        _ => Ok(()),
    }
}

#[cfg(feature = "network")]
fn download_all(set: &Set, staging: &Path, source: &Source, watch: Watch) -> Result<Vec<PathBuf>> {
    let folder = staging.join("files");
    files::make_folder(&folder)?;
    require_space(set, &folder)?;
    let place = |file: &Remote| folder.join(file.name());
    let client = download::Client::new(source.mirror.as_deref(), download::Patience::default())?;
    for file in &set.files {
        client.get(&set.name, file, &place(file), watch)?;
    }
    Ok(set.files.iter().map(place).collect())
}

#[cfg(not(feature = "network"))]
fn download_all(set: &Set, _: &Path, _: &Source, _: Watch) -> Result<Vec<PathBuf>> {
    Err(no_network(set))
}

#[cfg(not(feature = "network"))]
fn no_network(set: &Set) -> Error {
    let addresses: Vec<&str> =
        set.files.iter().filter_map(|file| Some(file.addresses.first()?.as_str())).collect();
    Error::environment(format!("this build of tinderbox cannot download `{}`", set.name))
        .cause(format!("it was built without the network; the files are {}", list(&addresses, 99)))
        .hint(format!(
            "download them by other means, then `tinderbox datasets fetch {} --from FOLDER`",
            set.name
        ))
}

/// The files of a set on this machine: in a folder, in a folder of the set's name in it, or the
/// one that is named.
fn local(set: &Set, place: &Path) -> Result<Vec<PathBuf>> {
    if !place.exists() {
        return Err(Error::usage(format!("no file or folder `{}`", place.display()))
            .hint("`--from` names what was downloaded by other means"));
    }
    let folders = [place.to_owned(), place.join(&set.name)];
    let find = |file: &Remote| {
        if place.is_file() {
            let is_it = set.files.len() == 1 || place.file_name() == Some(file.name().as_ref());
            return is_it.then(|| place.to_owned());
        }
        folders.iter().map(|folder| folder.join(file.name())).find(|path| path.is_file())
    };
    let mut paths = Vec::new();
    let mut missing = Vec::new();
    for file in &set.files {
        match find(file) {
            Some(path) => paths.push(path),
            None => missing.push(file.name()),
        }
    }
    if !missing.is_empty() {
        let names: Vec<&str> = set.files.iter().map(Remote::name).collect();
        return Err(Error::input(format!("no {} in `{}`", list(&missing, 9), place.display()))
            .cause(format!("`{}` is made from {}", set.name, list(&names, 9)))
            .hint("`--from FOLDER` names the folder that holds all of them, under these names"));
    }
    for (file, path) in set.files.iter().zip(&paths) {
        check(file, path)?;
    }
    Ok(paths)
}

/// Checks that a file is the one that it should be.
fn check(file: &Remote, path: &Path) -> Result<()> {
    let wrong = |cause: String| {
        Error::input(format!("`{}` is not the file that it should be", path.display()))
            .cause(cause)
            .hint("it is damaged, or another version: download it again")
    };
    let size = files::size(path)?;
    if size != file.size {
        return Err(wrong(format!("it has {}, not {}", exact(size), exact(file.size))));
    }
    let hash = sha256(path)?;
    if !hash.eq_ignore_ascii_case(&file.sha256) {
        return Err(wrong(format!("its SHA-256 is {hash}, not {}", file.sha256.to_lowercase())));
    }
    Ok(())
}

/// A number of bytes, of which none may be missing.
fn exact(n: u64) -> String {
    if n < 1000 { bytes(n) } else { format!("{} bytes", tinderbox_base::units::thousands(n)) }
}

/// The SHA-256 of a file, in hexadecimal.
fn sha256(path: &Path) -> Result<String> {
    use std::io::Read;
    let mut file = files::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(|cause| files::error("read", path, &cause))?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
