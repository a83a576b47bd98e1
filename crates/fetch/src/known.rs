//! The data sets that can be fetched: where their files are, what these must hold, and what becomes
//! of them. The table in the program and a person's own (`--manifest`) have one form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use tinderbox_base::units::list;
use tinderbox_base::{Error, Fault, Result, files, nearest};

/// The table in the program.
const KNOWN: &str = include_str!("known.toml");

/// A manifest is not larger.
const MOST_BYTES: u64 = 16 << 20;

/// A table of data sets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(rename = "set")]
    sets: Vec<Set>,
}

/// A data set that can be fetched.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Its name, and that of its folder.
    pub name: String,
    /// What is in the images, and how large these are.
    #[serde(default)]
    pub about: String,
    /// How many images there are; 0 where nobody counted.
    #[serde(default)]
    pub images: u64,
    /// How many classes there are; 0 where nobody counted.
    #[serde(default)]
    pub classes: u64,
    /// Under which terms it may be used.
    #[serde(default)]
    pub licence: String,
    /// The page of those who made it.
    #[serde(default)]
    pub source: String,
    /// What is downloaded. Archives are unpacked, other files are taken as they are.
    #[serde(rename = "file")]
    pub files: Vec<Remote>,
    /// The folder in the archives that becomes the data set's.
    #[serde(default)]
    pub inside: String,
    /// Patterns of what is taken from the archives; all, where there are none.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Folders that get another name: old and new.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// The names of the classes in the order of their numbers, for `classes.txt`.
    #[serde(default)]
    pub names: Vec<String>,
    /// Whether rows and columns of IDX images have to be swapped.
    #[serde(default)]
    pub transpose: bool,
    /// Lists of images, each with the split of its images, for `labels.csv`.
    #[serde(default)]
    pub lists: BTreeMap<String, String>,
    /// What says the class of an image in a list.
    #[serde(default)]
    pub labels: Labels,
    /// Bytes that it may have when unpacked.
    pub unpacked: Option<u64>,
}

/// What says the class of an image in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Labels {
    /// The folder before its name: `apple_pie/1005649`.
    #[default]
    Folder,
    /// Its name, less the number at the end: `great_pyrenees_27`.
    Name,
}

/// A file that is downloaded.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// Where it can be had, the best first.
    pub addresses: Vec<String>,
    /// Its bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Remote {
    /// Its name: the end of its address.
    #[must_use]
    pub fn name(&self) -> &str {
        let address = self.addresses.first().map_or("", String::as_str);
        let path = address.split(['?', '#']).next().unwrap_or(address);
        path.rsplit('/').next().unwrap_or(path)
    }
}

impl Set {
    /// What is to be downloaded, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Bytes that it may have when unpacked. Images hardly shrink in an archive: eight times the
    /// download is far above every known set, and far below what would fill a disk.
    #[must_use]
    pub fn most_bytes(&self) -> u64 {
        self.unpacked.unwrap_or_else(|| self.bytes().saturating_mul(8).saturating_add(64 << 20))
    }

    /// What is wrong with it, if something is.
    fn fault(&self) -> Option<String> {
        if !is_name(&self.name) || self.name.starts_with('.') {
            return Some(format!("`{}` cannot be the name of a folder", self.name));
        }
        if self.files.is_empty() {
            return Some("it has no file".to_owned());
        }
        let mut names = BTreeSet::new();
        for file in &self.files {
            if !is_name(file.name()) {
                return Some("the address of a file must end with its name".to_owned());
            }
            if !names.insert(file.name()) {
                return Some(format!("two files have the name `{}`", file.name()));
            }
            let web = |address: &String| {
                address.starts_with("https://") || address.starts_with("http://")
            };
            if !file.addresses.iter().all(web) {
                return Some("an address starts with `https://` or `http://`".to_owned());
            }
            let is_hash =
                file.sha256.len() == 64 && file.sha256.bytes().all(|b| b.is_ascii_hexdigit());
            if !is_hash || file.size == 0 {
                return Some(format!(
                    "`{}` needs its size in bytes and its SHA-256, 64 hexadecimal digits",
                    file.name()
                ));
            }
        }
        let paths = self.lists.keys().chain(Some(&self.inside).filter(|path| !path.is_empty()));
        if let Some(path) = paths.into_iter().find(|path| !stays_inside(Path::new(path))) {
            return Some(format!("`{path}` leads out of the data set"));
        }
        if let Some(name) = self.rename.values().find(|name| !is_name(name)) {
            return Some(format!("`{name}` cannot be the name of a folder"));
        }
        let bad = self.keep.iter().find(|pattern| glob::Pattern::new(pattern).is_err());
        bad.map(|pattern| format!("`{pattern}` is no pattern"))
    }
}

/// Whether a text can be the name of one folder or file.
fn is_name(text: &str) -> bool {
    let mut parts = Path::new(text).components();
    let one = matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none();
    one && !text.contains(['/', '\\', ':']) && !text.chars().any(char::is_control)
}

/// Whether a path leads to something below where it starts.
pub(super) fn stays_inside(path: &Path) -> bool {
    let mut parts = path.components().filter(|part| *part != Component::CurDir).peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// All data sets of the program's table, or of a manifest.
///
/// # Errors
/// If the manifest cannot be read or is wrong.
pub fn sets(manifest: Option<&Path>) -> Result<Vec<Set>> {
    let Some(path) = manifest else {
        return parse(KNOWN)
            .map_err(|cause| Error::failed("the table in the program is broken").cause(cause));
    };
    let wrong = |cause: String| {
        Error::usage(format!("cannot use `{}`", path.display()))
            .cause(cause)
            .hint("the README has an example of a manifest: `[[set]]` with `name`, `[[set.file]]` with `addresses`, `size`, `sha256`")
    };
    let bytes = files::read_at_most(path, MOST_BYTES).map_err(|error| {
        let hint = "`--manifest FILE` names a table of your own data sets; without it the program's own is used";
        error.blame(Fault::Usage).hint(hint)
    })?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    parse(&text).map_err(wrong)
}

fn parse(text: &str) -> std::result::Result<Vec<Set>, String> {
    let manifest: Manifest = toml::from_str(text).map_err(|cause| {
        let before = cause.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("line {}: {}", before.matches('\n').count() + 1, cause.message())
    })?;
    for set in &manifest.sets {
        if let Some(fault) = set.fault() {
            return Err(format!("data set `{}`: {fault}", set.name));
        }
    }
    Ok(manifest.sets)
}

/// The data set of a name.
///
/// # Errors
/// If there is none.
pub fn find(name: &str, manifest: Option<&Path>) -> Result<Set> {
    let sets = sets(manifest)?;
    if let Some(set) = sets.iter().find(|set| set.name == name) {
        return Ok(set.clone());
    }
    let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
    let place = manifest.map_or(String::new(), |path| format!(" in `{}`", path.display()));
    let error = Error::usage(format!("no data set `{name}`{place} that can be fetched"))
        .cause(format!("there are {}", list(&names, 20)));
    Err(match nearest(name, names) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`tinderbox datasets fetch` says what is in each; `--manifest FILE` names sets of your own"),
    })
}

/// Whether the program's table has a data set of this name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    sets(None).is_ok_and(|sets| sets.iter().any(|set| set.name == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_program_is_complete() {
        let sets = sets(None).unwrap();
        assert!(sets.len() >= 12);
        for set in &sets {
            let texts = [&set.about, &set.licence, &set.source];
            assert!(texts.iter().all(|text| !text.is_empty()), "{}", set.name);
            assert!(set.images > 0 && set.classes > 1, "{}", set.name);
            assert!(set.names.is_empty() || set.names.len() as u64 >= set.classes, "{}", set.name);
            assert!(is_known(&set.name));
        }
        let names: BTreeSet<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names.len(), sets.len());
    }

    #[test]
    fn a_file_is_called_as_its_address_ends() {
        let file = |address: &str| Remote {
            addresses: vec![address.to_owned()],
            size: 1,
            sha256: String::new(),
        };
        assert_eq!(file("https://example.org/a/b.tar.gz?raw=1#x").name(), "b.tar.gz");
        assert_eq!(file("https://example.org/a/").name(), "");
    }

    #[test]
    fn what_would_lead_out_of_the_folder_is_refused() {
        let set = |extra: &str, name: &str, address: &str| {
            let hash = "0".repeat(64);
            format!(
                "[[set]]\nname = '{name}'\n{extra}\n[[set.file]]\naddresses = ['{address}']\nsize = 1\nsha256 = '{hash}'"
            )
        };
        let address = "https://example.org/a.zip";
        parse(&set("", "good", address)).unwrap();
        for bad in [
            set("", "../good", address),
            set("", ".good", address),
            set("", "good", "https://example.org/.."),
            set("", "good", "file:///etc/passwd"),
            set("inside = '../x'", "good", address),
            set("inside = '/x'", "good", address),
            set("lists = { '../x' = 'train' }", "good", address),
            set("rename = { a = '../b' }", "good", address),
            set("keep = ['***']", "good", address),
            set("colour = 1", "good", address),
            set("", "good", address).replace("size = 1", "size = 0"),
            set("", "good", address).replace("0'", "g'"),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }
}
