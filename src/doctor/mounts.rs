//! Where folders really lie: the mounts of this process.

use std::path::{Path, PathBuf};

use tinderbox_base::files;

/// One line of `/proc/self/mountinfo`; see `proc_pid_mountinfo(5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The mounted folder, as its own file system names it: for a bind mount the host's folder.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
    /// Whether it can only be read.
    pub read_only: bool,
    /// The kind of file system: `ext4`, `overlay`, `tmpfs`.
    pub kind: String,
}

impl Mount {
    /// The name of the engine's volume that this is, where it is one: Docker and podman keep
    /// volumes in `.../volumes/NAME/_data`.
    pub fn volume(&self) -> Option<&str> {
        let mut parts = self.root.iter().rev().map(|part| part.to_str());
        let (data, name, volumes) = (parts.next()??, parts.next()??, parts.next()??);
        (data == "_data" && volumes == "volumes").then_some(name)
    }

    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let fields: Vec<&str> = before.split(' ').collect();
        let mut rest = after.split(' ');
        let kind = rest.next()?.to_owned();
        let superblock = rest.nth(1).unwrap_or("");
        let is_read_only = |options: &str| options.split(',').any(|option| option == "ro");
        Some(Self {
            root: unescape(fields.get(3)?).into(),
            point: unescape(fields.get(4)?).into(),
            read_only: is_read_only(fields.get(5)?) || is_read_only(superblock),
            kind,
        })
    }
}

/// The kernel writes blanks, tabs, newlines and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// All mounts, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    /// This process's; none where the operating system does not say.
    pub fn read() -> Self {
        files::read_text("/proc/self/mountinfo".as_ref())
            .map(|text| Self::parse(&text))
            .unwrap_or_default()
    }

    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(Mount::parse).collect())
    }

    /// The mount that a path lies on: of the longest mount points above it, the last one made.
    pub fn of(&self, path: &Path) -> Option<&Mount> {
        let above = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        above.max_by_key(|mount| mount.point.as_os_str().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
100 99 0:52 / / ro,relatime - overlay overlay rw,lowerdir=/l
101 100 8:1 /home/u/my\\040data /datasets ro,relatime - ext4 /dev/sda1 rw
102 100 8:1 /var/lib/docker/volumes/models/_data /models rw,relatime master:1 - ext4 /dev/sda1 rw
103 100 0:60 / /images rw,nosuid - tmpfs tmpfs rw,size=65536k
104 100 8:1 /late /datasets rw - ext4 /dev/sda1 ro
a line that is none
";

    #[test]
    fn the_mount_of_a_path_is_the_nearest_and_the_last() {
        let mounts = Mounts::parse(TEXT);
        let of = |path: &str| mounts.of(path.as_ref()).unwrap();
        assert_eq!(of("/usr/bin").point, Path::new("/"));
        assert_eq!(of("/models/run").volume(), Some("models"));
        assert_eq!(of("/modelsx").point, Path::new("/"));
        assert_eq!(of("/images").kind, "tmpfs");
        assert_eq!(of("/datasets/pets").root, Path::new("/late"));
        assert!(of("/datasets").read_only, "by its file system");
        assert!(of("/").read_only && !of("/models").read_only);
        assert!(Mounts::default().of("/".as_ref()).is_none());
    }

    #[test]
    fn escaped_characters_are_read() {
        assert_eq!(unescape("my\\040data\\134x"), "my data\\x");
        assert_eq!(unescape("\\09 \\"), "\\09 \\");
        assert_eq!(Mounts::parse(TEXT).0[1].root, Path::new("/home/u/my data"));
    }
}
