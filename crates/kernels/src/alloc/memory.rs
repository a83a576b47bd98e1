//! How much memory there is, found without asking for any.

use std::ffi::CStr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the limit of a container stands: version 2 and version 1 of Linux's control groups, as
/// seen from inside one.
const LIMITS: [&CStr; 2] =
    [c"/sys/fs/cgroup/memory.max", c"/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// What [`total`] found; 0 before.
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// Bytes of memory of this machine or container; looked up once.
pub(super) fn total() -> usize {
    let known = TOTAL.load(Ordering::Relaxed);
    if known > 0 {
        return known;
    }
    let total = LIMITS.into_iter().filter_map(number_in).fold(physical(), usize::min);
    TOTAL.store(total, Ordering::Relaxed);
    total
}

/// There are only so many bytes: a limit that is not seen from inside a control group.
pub(super) fn limit(bytes: usize) {
    TOTAL.store(total().min(bytes.max(1)), Ordering::Relaxed);
}

fn physical() -> usize {
    // SAFETY: it only answers a number, -1 where it does not know.
    let [pages, page] =
        [libc::_SC_PHYS_PAGES, libc::_SC_PAGESIZE].map(|name| unsafe { libc::sysconf(name) });
    match (usize::try_from(pages), usize::try_from(page)) {
        (Ok(pages @ 1..), Ok(page)) => pages.saturating_mul(page),
        _ => usize::MAX,
    }
}

/// The number that a file starts with.
fn number_in(path: &CStr) -> Option<usize> {
    let mut text = [0u8; 32];
    // SAFETY: the path ends in a zero; `read` writes no more bytes than `text` has; the file is
    // closed once.
    let len = unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return None;
        }
        let len = libc::read(file, text.as_mut_ptr().cast(), text.len());
        libc::close(file);
        len
    };
    parse(text.get(..usize::try_from(len).ok()?)?)
}

/// The number in front; none where there is no digit (`max`).
fn parse(text: &[u8]) -> Option<usize> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |number, digit| {
        Some(number.unwrap_or(0usize).saturating_mul(10).saturating_add((digit - b'0') as usize))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_containers_are_read_as_they_are_written() {
        assert_eq!(parse(b"max\n"), None);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"1073741824\n"), Some(1 << 30));
        assert_eq!(parse(b"99999999999999999999999999999999"), Some(usize::MAX));
        assert!(number_in(c"/nowhere/at/all").is_none());
        assert!(total() >= 1 << 20 && total() == total());
    }
}
