//! A file that says which process works in a folder, and keeps others out.
//!
//! The operating system's own lock on the file decides where it reaches: it ends with its process,
//! however that ends, and it holds between containers on one machine. Where it does not reach,
//! between machines on some network file systems and between a host and its virtual machine, the
//! owner's heartbeat in the file decides.

#![allow(clippy::disallowed_methods)] // files and the clock: this is the room they are allowed in

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::env::unix_seconds;
use crate::files::{output_error, read_text};
use crate::{Error, Result};

/// The name of the file.
const NAME: &str = ".lock";
/// Between two heartbeats.
const BEAT: Duration = Duration::from_secs(10);
/// Seconds after which an owner whose heart does not beat is dead.
const DEAD: f64 = 60.0;

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Owner {
    /// The machine's or container's name.
    host: String,
    /// A number of the machine's that changes when it starts; empty where it has none.
    boot: String,
    /// The namespace of its process numbers; empty where there are none.
    namespace: String,
    /// Its process number in there.
    process: u32,
    /// When it took the lock, in microseconds since 1970: a whole number, which is read as it was
    /// written.
    since: u64,
    /// Its last heartbeat.
    beat: f64,
}

impl Owner {
    fn this() -> Self {
        let kernel = |name: &str| {
            let text = read_text(&Path::new("/proc/sys/kernel").join(name)).unwrap_or_default();
            text.trim().to_owned()
        };
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let now = unix_seconds();
        Self {
            host: kernel("hostname"),
            boot: kernel("random/boot_id"),
            namespace: namespace.display().to_string(),
            process: std::process::id(),
            since: (now * 1e6) as u64,
            beat: now,
        }
    }

    fn read(file: &mut File) -> Option<Self> {
        let mut text = String::new();
        file.rewind().ok()?;
        file.take(4096).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    fn write(&self, file: &mut File) -> std::io::Result<()> {
        let text = serde_json::to_string(self)?;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }

    /// Whether it is the same process, whatever its heartbeat.
    fn is(&self, other: &Self) -> bool {
        let name = |owner: &Self| {
            let Self { host, boot, namespace, process, since, beat: _ } = owner.clone();
            (host, boot, namespace, process, since)
        };
        name(self) == name(other)
    }

    /// Whether the process may still live, as far as `this` one can tell.
    /// `is_sure`: the operating system's lock would be held if it lived on this machine.
    fn may_live(&self, this: &Self, is_sure: bool) -> bool {
        let here = self.boot == this.boot && (!self.boot.is_empty() || self.host == this.host);
        if here && is_sure {
            return false;
        }
        if here && self.namespace == this.namespace && !self.namespace.is_empty() {
            return Path::new("/proc").join(self.process.to_string()).exists();
        }
        (this.beat - self.beat).abs() < DEAD
    }
}

/// A held lock. Dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    lost: Arc<AtomicBool>,
    heart: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Lock {
    /// Takes the lock of `folder`.
    ///
    /// # Errors
    /// If another process holds it, or the folder cannot be written.
    pub fn acquire(folder: &Path) -> Result<Self> {
        Self::acquire_to(folder, "trained")
    }

    /// Takes the lock of `folder`; `done` says what is done there: it is being `trained`.
    ///
    /// # Errors
    /// If another process holds it, or the folder cannot be written.
    pub fn acquire_to(folder: &Path, done: &str) -> Result<Self> {
        let refuse = |owner: Option<&Owner>| refuse(folder, done, owner);
        let path = folder.join(NAME);
        let failed = |cause: &std::io::Error| output_error("lock", &path, cause);
        loop {
            let mut options = OpenOptions::new();
            let mut file = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(|cause| failed(&cause))?;
            let taken = file.try_lock();
            let (mut owner, this) = (Owner::read(&mut file), Owner::this());
            match &taken {
                Err(TryLockError::WouldBlock) => return Err(refuse(owner.as_ref())),
                Ok(()) => owner = owner.filter(|owner| owner.may_live(&this, true)),
                // Not every file system has locks: the heartbeat decides.
                Err(TryLockError::Error(_)) => {
                    owner = owner.filter(|owner| owner.may_live(&this, false));
                }
            }
            if let Some(owner) = owner {
                return Err(refuse(Some(&owner)));
            }
            if !is_still(&file, &path) {
                continue; // its last owner removed it between opening and locking
            }
            this.write(&mut file).map_err(|cause| failed(&cause))?;
            return Self::beat(path, file, this);
        }
    }

    fn beat(path: PathBuf, mut file: File, mut this: Owner) -> Result<Self> {
        let lost = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = channel();
        let (flag, own) = (Arc::clone(&lost), path.clone());
        let heart = move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // Another process may have taken this one, stopped for a minute, for dead.
                // A file that is gone is no other's: the whole volume may have gone, and come back.
                let is_own = Owner::read(&mut file).is_none_or(|owner| owner.is(&this));
                if !is_own || (own.exists() && !is_still(&file, &own)) {
                    flag.store(true, Ordering::Relaxed);
                    return;
                }
                this.beat = unix_seconds();
                let _ = this.write(&mut file); // a full disk is told where it matters
            }
            if is_still(&file, &own) {
                let _ = std::fs::remove_file(&own);
            }
        };
        let thread = std::thread::Builder::new().name("lock".to_owned()).spawn(heart);
        let thread = thread.map_err(|cause| {
            Error::environment("cannot start a thread for the lock").cause(cause)
        })?;
        Ok(Self { path, lost, heart: Some((stop, thread)) })
    }

    /// Checks that no other process has taken it over.
    ///
    /// # Errors
    /// If one has.
    pub fn check(&self) -> Result<()> {
        if !self.lost.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Error::failed(format!("another process has taken over `{}`", self.path.display()))
            .cause("this one stood still for more than a minute, or its file was removed")
            .hint("look which one shall go on: this one has stopped and written nothing since"))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.heart.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

/// Whether `path` still is the file that was opened.
fn is_still(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let numbers = |meta: std::io::Result<std::fs::Metadata>| {
            meta.ok().map(|meta| (meta.dev(), meta.ino()))
        };
        let ours = numbers(file.metadata());
        ours.is_some() && ours == numbers(std::fs::metadata(path))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

fn refuse(folder: &Path, done: &str, owner: Option<&Owner>) -> Error {
    let who = owner.map_or_else(
        || "by another process".to_owned(),
        |owner| {
            let seconds = (unix_seconds() - owner.since as f64 / 1e6).max(0.0);
            let since = crate::units::duration(seconds);
            format!("by process {} on `{}`, for {since}", owner.process, owner.host)
        },
    );
    Error::failed(format!("`{}` is being {done} {who}", folder.display()))
        .cause("two processes must not write one folder")
        .hint("wait until it has ended, or stop it; the lock of a process that was killed is void, after a minute at the latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn leave(folder: &Path, owner: &Owner) {
        owner.write(&mut File::create(folder.join(NAME)).unwrap()).unwrap();
    }

    #[test]
    fn the_second_is_refused_and_the_lock_goes_with_its_holder() {
        let folder = folder();
        let lock = Lock::acquire(folder.path()).unwrap();
        lock.check().unwrap();
        let error = Lock::acquire(folder.path()).unwrap_err();
        assert!(error.message.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        assert!(!folder.path().join(NAME).exists());
        Lock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_is_taken_over() {
        let folder = folder();
        let this = Owner::this();
        let killed = Owner { process: 1, since: this.since - 5_000_000, ..this.clone() };
        let container =
            Owner { namespace: "pid:[1]".to_owned(), host: "f00".to_owned(), ..killed.clone() };
        let restarted =
            Owner { boot: "other".to_owned(), beat: this.beat - 2.0 * DEAD, ..killed.clone() };
        for owner in [killed, container, restarted] {
            leave(folder.path(), &owner);
            Lock::acquire(folder.path()).unwrap();
        }
        std::fs::write(folder.path().join(NAME), "torn").unwrap();
        Lock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn an_owner_knows_itself_again_in_its_file() {
        let mut file = tempfile::tempfile().unwrap();
        for number in 0..1000 {
            let this = Owner { since: Owner::this().since + 977 * number, ..Owner::this() };
            this.write(&mut file).unwrap();
            assert!(Owner::read(&mut file).unwrap().is(&this), "{this:?}");
            assert!(!this.is(&Owner { since: this.since + 1, ..this.clone() }));
        }
    }

    #[test]
    fn a_heart_that_beats_on_another_machine_is_respected() {
        let folder = folder();
        let elsewhere =
            Owner { boot: "other".to_owned(), host: "node7".to_owned(), ..Owner::this() };
        leave(folder.path(), &elsewhere);
        let error = Lock::acquire(folder.path()).unwrap_err();
        assert!(error.message.contains("node7"), "{error}");
    }

    #[test]
    fn without_the_systems_lock_a_live_process_is_respected_and_a_dead_one_is_not() {
        let this = Owner::this();
        assert!(this.may_live(&this, false));
        assert!(!this.may_live(&this, true));
        let dead = Owner { process: u32::MAX, ..this.clone() };
        assert!(!dead.may_live(&this, false));
    }
}
