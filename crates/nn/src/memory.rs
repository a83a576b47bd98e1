//! Memory: how much there is, and what the allocator keeps for the next step.

use std::path::PathBuf;
use std::sync::OnceLock;

use tinderbox_base::files;

/// Gives what is kept back to the operating system. For where a loop is over: what comes next asks
/// for other sizes, or for little. Does nothing where the program did not install the allocator.
pub fn give_back() {
    tinderbox_kernels::alloc::trim();
}

/// Bytes of memory of this machine, or that its container allows; none where it is not known. What
/// the allocator keeps follows it from the first call on.
#[must_use]
pub fn total() -> Option<u64> {
    static OUTER: OnceLock<Option<u64>> = OnceLock::new();
    OUTER.get_or_init(|| {
        own_group().inspect(|&limit| tinderbox_kernels::alloc::limit_memory(limit))
    });
    tinderbox_kernels::alloc::memory()
}

/// The least limit of this process's control group and those above it, where they are seen from
/// outside: in a job of Slurm, a service of systemd. Version 2 has one line, version 1 one for memory.
fn own_group() -> Option<u64> {
    let groups = files::read_text("/proc/self/cgroup".as_ref()).ok()?;
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap_or(""), fields.next().unwrap_or("/"));
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return Vec::new(),
        };
        let whole = PathBuf::from(root).join(path.trim_start_matches('/'));
        let groups = whole.ancestors().take_while(|group| group.starts_with(root));
        groups.filter_map(|g| files::read_text(&g.join(name)).ok()?.trim().parse().ok()).collect()
    });
    limits.min()
}
