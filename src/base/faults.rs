//! Where a disk can fail. Tests make the n-th of these points fail; outside of tests they do nothing.

use std::fs::File;
use std::io::{Result, Write};
use std::path::Path;

/// An operation on a file.
#[cfg_attr(not(test), allow(clippy::unnecessary_wraps))]
pub(super) fn step(path: &Path) -> Result<()> {
    #[cfg(test)]
    broken::check(path)?;
    let _ = path;
    Ok(())
}

/// Writes all of `data`, or in a test a half of it.
pub(super) fn write(path: &Path, file: &mut File, data: &[u8]) -> Result<()> {
    step(path).inspect_err(|_| drop(file.write_all(&data[..data.len() / 2])))?;
    file.write_all(data)
}

/// A disk that fails, for tests.
#[cfg(test)]
pub mod broken {
    use std::collections::HashMap;
    use std::io::{Error, ErrorKind, Result};
    use std::path::{Path, PathBuf};
    use std::sync::{LazyLock, Mutex};

    /// Which operations fail below a folder, counted from 0, and how many there were.
    struct Plan {
        fails: Box<dyn Fn(usize) -> bool + Send>,
        count: usize,
    }

    static PLANS: LazyLock<Mutex<HashMap<PathBuf, Plan>>> = LazyLock::new(Mutex::default);

    /// From now on the operations below `folder` fail for whose number `fails` says so.
    pub fn plan(folder: &Path, fails: impl Fn(usize) -> bool + Send + 'static) {
        let plan = Plan { fails: Box::new(fails), count: 0 };
        PLANS.lock().unwrap().insert(folder.to_owned(), plan);
    }

    /// How many operations there were below `folder`.
    pub fn count(folder: &Path) -> usize {
        PLANS.lock().unwrap()[folder].count
    }

    pub fn check(path: &Path) -> Result<()> {
        let mut plans = PLANS.lock().unwrap();
        let Some((_, plan)) = plans.iter_mut().find(|(folder, _)| path.starts_with(folder)) else {
            return Ok(());
        };
        plan.count += 1;
        let fails = (plan.fails)(plan.count - 1);
        if fails { Err(Error::from(ErrorKind::StorageFull)) } else { Ok(()) }
    }
}
