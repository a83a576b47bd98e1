//! How much room there is on a disk.

use std::path::Path;

/// Bytes that this user may still write on the file system of `path`, where it says so.
#[must_use]
pub fn free(path: &Path) -> Option<u64> {
    volume(path).map(|[free, _]| free)
}

/// Bytes that this user may still write on the file system of `path`, and all that it has, where it
/// says so.
#[must_use]
pub fn volume(path: &Path) -> Option<[u64; 2]> {
    #[cfg(unix)]
    {
        let space = rustix::fs::statvfs(path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
        // Some file systems in user space answer zeros.
        (space.f_blocks > 0).then(|| [bytes(space.f_bavail), bytes(space.f_blocks)])
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}
