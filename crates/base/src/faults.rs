//! Where a disk can fail. Tests of every crate make the n-th of these points fail; a program that has
//! asked for no failure pays for one comparison a file operation.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Whether any operation is to fail.
static ARMED: AtomicBool = AtomicBool::new(false);

/// Which operations fail below a folder, counted from 0, and how many there were.
struct Failures {
    fails: Box<dyn Fn(usize) -> bool + Send>,
    count: usize,
}

static FAILURES: LazyLock<Mutex<HashMap<PathBuf, Failures>>> = LazyLock::new(Mutex::default);

/// An operation on a file.
pub(super) fn step(path: &Path) -> Result<()> {
    if ARMED.load(Ordering::Relaxed) { check(path) } else { Ok(()) }
}

/// Writes all of `data`, or where it is to fail a half of it.
pub(super) fn write(path: &Path, file: &mut File, data: &[u8]) -> Result<()> {
    step(path).inspect_err(|_| drop(file.write_all(&data[..data.len() / 2])))?;
    file.write_all(data)
}

/// From now on the operations below `folder` fail for whose number `fails` says so.
pub fn fail(folder: &Path, fails: impl Fn(usize) -> bool + Send + 'static) {
    let failures = Failures { fails: Box::new(fails), count: 0 };
    FAILURES.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned(), failures);
    ARMED.store(true, Ordering::Relaxed);
}

/// How many operations there were below `folder` since [`fail`] named it.
#[must_use]
pub fn count(folder: &Path) -> usize {
    let failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    failures.get(folder).map_or(0, |failures| failures.count)
}

fn check(path: &Path) -> Result<()> {
    let mut all = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((_, failures)) = all.iter_mut().find(|(folder, _)| path.starts_with(folder)) else {
        return Ok(());
    };
    failures.count += 1;
    let fails = (failures.fails)(failures.count - 1);
    if fails { Err(Error::from(ErrorKind::StorageFull)) } else { Ok(()) }
}
