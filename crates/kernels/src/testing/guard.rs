//! Slices between pages that nobody may touch, for tests: one element too far is a crash.

use std::ops::{Deref, DerefMut};
use std::{mem, ptr, slice};

/// Which end of a [`Guarded`] slice touches a forbidden page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Reading or writing one element before the first is a crash.
    Start,
    /// Reading or writing one element after the last is a crash.
    End,
}

impl At {
    /// Both ends: a test runs with each.
    pub(crate) const BOTH: [Self; 2] = [Self::Start, Self::End];
}

/// A slice with a forbidden page on either side. One end is flush with it; between the other end
/// and its page lie less than a page of bytes, and dropping the slice checks that nobody wrote to
/// them.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    start: *mut T,
    len: usize,
    region: Region,
}

// SAFETY: it owns its elements, as a `Box<[T]>` does.
unsafe impl<T: Send> Send for Guarded<T> {}
// SAFETY: as a `Box<[T]>`.
unsafe impl<T: Sync> Sync for Guarded<T> {}

/// What the bytes beside the slice hold. As a float it is tiny, as an index it is far outside.
const UNTOUCHED: u8 = 0xA5;

impl<T: Copy> Guarded<T> {
    /// `len` times `value`.
    pub(crate) fn new(len: usize, value: T, at: At) -> Self {
        let bytes = len * mem::size_of::<T>();
        let region = Region::new(bytes);
        let before = match at {
            At::Start => 0,
            At::End => region.len - bytes,
        };
        // SAFETY: the region is ours, and `before + bytes` is within it. Elements are aligned: a
        // page's start and its end are, and sizes are multiples of the alignment.
        let start = unsafe {
            region.start.write_bytes(UNTOUCHED, region.len);
            let start = region.start.add(before).cast::<T>();
            assert!(start.is_aligned());
            for i in 0..len {
                start.add(i).write(value);
            }
            start
        };
        Self { start, len, region }
    }
}

/// The elements of `from`, guarded.
pub(crate) fn copy_of<T: Copy + Default>(from: &[T], at: At) -> Guarded<T> {
    let mut guarded = Guarded::new(from.len(), T::default(), at);
    guarded.copy_from_slice(from);
    guarded
}

impl<T> Deref for Guarded<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `new` wrote `len` elements here.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let inside = self.start.addr() - self.region.start.addr();
        let inside = inside..inside + self.len * mem::size_of::<T>();
        // SAFETY: the region is ours and `new` wrote all its bytes.
        let bytes = unsafe { slice::from_raw_parts(self.region.start, self.region.len) };
        let outside = bytes[..inside.start].iter().chain(&bytes[inside.end..]);
        let is_clean = outside.copied().all(|byte| byte == UNTOUCHED);
        self.region.free();
        assert!(is_clean || std::thread::panicking(), "something wrote beside a guarded slice");
    }
}

/// Whole pages between two forbidden ones.
#[derive(Debug)]
struct Region {
    start: *mut u8,
    len: usize,
}

#[cfg(unix)]
impl Region {
    fn page() -> usize {
        // SAFETY: it only answers a number.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap()
    }

    fn new(bytes: usize) -> Self {
        let page = Self::page();
        let len = bytes.next_multiple_of(page);
        let kind = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: a new mapping where the kernel has room, of which the inner pages are opened.
        unsafe {
            let whole = libc::mmap(ptr::null_mut(), len + 2 * page, libc::PROT_NONE, kind, -1, 0);
            assert!(whole != libc::MAP_FAILED, "no memory for {bytes} guarded bytes");
            let start = whole.cast::<u8>().add(page);
            if len > 0 {
                let access = libc::PROT_READ | libc::PROT_WRITE;
                assert_eq!(libc::mprotect(start.cast(), len, access), 0);
            }
            Self { start, len }
        }
    }

    fn free(&self) {
        let page = Self::page();
        // SAFETY: the mapping of `new`, which nobody uses any more.
        unsafe { libc::munmap(self.start.sub(page).cast(), self.len + 2 * page) };
    }
}

/// Without forbidden pages, only writes are noticed.
#[cfg(not(unix))]
impl Region {
    const LAYOUT_ALIGN: usize = 4096;

    fn layout(len: usize) -> std::alloc::Layout {
        std::alloc::Layout::from_size_align(len + Self::LAYOUT_ALIGN, Self::LAYOUT_ALIGN).unwrap()
    }

    fn new(bytes: usize) -> Self {
        let len = bytes.next_multiple_of(Self::LAYOUT_ALIGN);
        // SAFETY: the layout is not empty.
        let start = unsafe { std::alloc::alloc(Self::layout(len)) };
        assert!(start != ptr::null_mut(), "no memory for {bytes} guarded bytes");
        Self { start, len }
    }

    fn free(&self) {
        // SAFETY: allocated by `new` with this layout; nobody uses it any more.
        unsafe { std::alloc::dealloc(self.start, Self::layout(self.len)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guarded_slice_is_a_slice() {
        for at in At::BOTH {
            for len in [0, 1, 1023, 1024, 1025] {
                let from: Vec<f32> = (0..len).map(|i| i as f32).collect();
                assert_eq!(*copy_of(&from, at), *from);
                let sevens = Guarded::new(len, 7u8, at);
                assert_eq!(*sevens, *vec![7; len]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "wrote beside")]
    fn a_write_on_the_open_side_is_noticed() {
        let guarded = Guarded::new(5, 0.0f32, At::Start);
        // SAFETY: outside the slice, on purpose, but inside the region.
        unsafe { guarded.start.add(5).write(1.0) };
    }

    /// The test runs itself in a process of its own, which an access outside has to end.
    #[cfg(unix)]
    #[test]
    fn one_element_outside_is_a_crash() {
        use std::os::unix::process::ExitStatusExt;

        const ACCESS: &str = "TINDERBOX_GUARDED_ACCESS";
        if let Some(access) = std::env::var_os(ACCESS) {
            crash(&access.into_string().unwrap());
            return;
        }
        for access in ["nothing", "read start", "write start", "read end", "write end"] {
            let status = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "testing::guard::tests::one_element_outside_is_a_crash"])
                .env(ACCESS, access)
                .stdout(std::process::Stdio::null())
                .status()
                .unwrap();
            if access == "nothing" {
                assert!(status.success(), "accesses inside are fine");
            } else {
                let signal = status.signal();
                assert!(matches!(signal, Some(libc::SIGSEGV | libc::SIGBUS)), "{access}: {status}");
            }
        }
    }

    #[cfg(unix)]
    fn crash(access: &str) {
        let len = 77;
        let at = if access.ends_with("start") { At::Start } else { At::End };
        let mut guarded = Guarded::new(len, 0.0f32, at);
        guarded[0] = 1.0;
        guarded[len - 1] = guarded[0];
        let start = guarded.start;
        let (before, after) = (start.wrapping_sub(1), start.wrapping_add(len));
        // SAFETY: there is none: these accesses are outside the slice, and must end the process.
        unsafe {
            match access {
                "read start" => _ = before.read_volatile(),
                "write start" => before.write_volatile(1.0),
                "read end" => _ = after.read_volatile(),
                "write end" => after.write_volatile(1.0),
                "nothing" => {}
                other => unreachable!("no access is called {other}"),
            }
        }
    }
}
