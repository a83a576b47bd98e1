//! The three folders: mounted, of the right kind, readable or writable, and what to type if not.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use tinderbox_base::units::{list, plural};
use tinderbox_base::{Error, Fault, Folders, files};

use super::mounts::Mount;
use super::places::{
    Content, LOOKED_AT, Role, Surroundings, content, file_name, mount_of, nearest_existing,
};
use super::{Finding, Verdict};

/// What the kernel calls a user that a container's name space has no number for.
const NOBODY: u32 = 65534;

/// What there is to say about a folder.
pub fn check(role: Role, folders: &Folders, around: &Surroundings) -> Finding {
    Place::new(role, role.folder(folders), around).check()
}

/// A folder in its surroundings.
struct Place<'a> {
    role: Role,
    path: PathBuf,
    mount: Option<&'a Mount>,
    around: &'a Surroundings,
}

impl<'a> Place<'a> {
    fn new(role: Role, path: &Path, around: &'a Surroundings) -> Self {
        // As people write it after the colon of `-v`, where that is what they are told.
        let whole = around.image.then(|| std::path::absolute(path).ok()).flatten();
        let path = whole.unwrap_or_else(|| path.to_owned());
        Self { role, mount: mount_of(&path, around), path, around }
    }

    fn check(&self) -> Finding {
        if !self.path.exists() {
            return self.missing();
        }
        if !self.path.is_dir() {
            let message = format!("`{}` is a file, not a folder", self.path.display());
            return self.wrong(message).fix(self.name_it(self.role.name()));
        }
        self.vanishing()
            .or_else(|| self.content())
            .or_else(|| self.access())
            .or_else(|| self.volume())
            .unwrap_or_else(|| Finding::ok(self.role.name(), self.describe()))
    }

    /// A fault of a folder: training needs no folder of data sets, for one is in the program.
    fn wrong(&self, message: String) -> Finding {
        let verdict = if self.is_output() { Verdict::Fail } else { Verdict::Warn };
        Finding::new(verdict, self.role.name(), message)
    }

    fn is_output(&self) -> bool {
        self.role != Role::Datasets
    }

    /// What gives this place the folder `host` of the current directory.
    fn name_it(&self, host: &str) -> String {
        let name = self.role.name();
        if self.around.image {
            let only = if self.is_output() { "" } else { ":ro" };
            format!("run with -v \"$PWD/{host}:{}{only}\"", self.path.display())
        } else {
            format!("name another folder by `--{name} DIR` or `TINDERBOX_{}`", name.to_uppercase())
        }
    }

    fn missing(&self) -> Finding {
        let (name, path) = (self.role.name(), self.path.display());
        if !self.is_output() {
            let message = format!("no folder `{path}`: only the data set inside the program");
            if self.around.image {
                return Finding::warn(name, message).fix(self.name_it(name));
            }
            return Finding::ok(name, message);
        }
        let above = nearest_existing(&self.path);
        let place = Place::new(self.role, &above, self.around);
        if let Some(finding) = self.vanishing() {
            return finding;
        }
        let unusable = if above.is_dir() {
            place.access()
        } else {
            let message = format!("`{}` is a file, not a folder", above.display());
            Some(self.wrong(message).fix(self.name_it(name)))
        };
        match unusable {
            None => Finding::ok(name, format!("`{path}` will be made")),
            Some(finding) => Finding {
                message: format!("`{path}` cannot be made: {}", finding.message),
                ..finding
            },
        }
    }

    /// In a container, what is written outside of mounts goes with it.
    fn vanishing(&self) -> Option<Finding> {
        let mount = self.mount.filter(|_| self.around.image)?;
        let path = self.path.display();
        let message = if mount.point == Path::new("/") {
            format!("`{path}` is not a mount")
        } else if mount.kind == "tmpfs" && mount.root == Path::new("/") {
            format!("`{path}` lies in memory") // a folder of the host's own tmpfs has another root
        } else {
            return None;
        };
        let what = if self.is_output() {
            "what is trained would vanish with the container"
        } else {
            "no data sets of the host are seen"
        };
        Some(self.wrong(format!("{message}: {what}")).fix(self.name_it(self.role.name())))
    }

    /// Whether the folder holds something else than it should.
    fn content(&self) -> Option<Finding> {
        let content = match content(&self.path, self.role) {
            Ok(content) => content,
            Err(error) if self.is_output() => return Some(self.refused(&error)),
            Err(error) => {
                let finding = self.refused(&error);
                return Some(Finding { verdict: Verdict::Warn, ..finding });
            }
        };
        let name = self.role.name();
        let holds = match (self.role, &content) {
            (Role::Datasets, Content::Nothing) if self.around.image => "it holds no folders",
            (Role::Datasets, Content::OneDataset) => return Some(self.one_dataset()),
            (Role::Datasets | Role::Images, Content::Runs) => "it holds trained models",
            (Role::Datasets | Role::Models, Content::Pictures) => "it holds pictures of runs",
            (Role::Models | Role::Images, Content::OneDataset | Content::Datasets) => {
                "it holds data sets"
            }
            (_, Content::Nested) if self.is_nested() => {
                let message =
                    format!("{}, and holds only a folder `{name}`", self.describe_mount());
                return Some(self.odd(message).fix(self.unnest()));
            }
            _ => return None,
        };
        let joint =
            if self.mount.is_some_and(|mount| self.is_point(mount)) { ", and " } else { ": " };
        Some(self.odd(format!("{}{joint}{holds}", self.describe_mount())).fix(self.name_it(name)))
    }

    /// A content that should lie elsewhere. A workstation's folders may hold anything; a mount of
    /// the wrong folder fails, before runs are written among somebody's images.
    fn odd(&self, message: String) -> Finding {
        let verdict =
            if self.is_output() && self.around.image { Verdict::Fail } else { Verdict::Warn };
        Finding::new(verdict, self.role.name(), message)
    }

    fn one_dataset(&self) -> Finding {
        let path = self.path.display();
        let message = format!("{}, and is itself a data set", self.describe_mount());
        self.odd(message).fix(format!("`tinderbox train {path}`, or mount the folder above it"))
    }

    /// A folder `models` that holds only a run called `models` is right.
    fn is_nested(&self) -> bool {
        let inner = self.path.join(self.role.name());
        matches!(
            content(&inner, self.role),
            Ok(Content::Folders(_) | Content::Runs | Content::Pictures | Content::OneDataset)
        ) && !inner.join("model.safetensors").exists()
            && !inner.join("curves.png").exists()
            && !inner.join("train").exists()
    }

    /// Either the right folder lies one level deeper on the host, or the folder above was mounted.
    fn unnest(&self) -> String {
        let name = self.role.name();
        let deeper = self.mount.is_some_and(|mount| mount.root.ends_with(name));
        if !self.around.image {
            return format!("--{name} {}", self.path.join(name).display());
        }
        self.name_it(&if deeper { format!("{name}/{name}") } else { name.to_owned() })
    }

    /// Whether models and pictures can be written.
    fn access(&self) -> Option<Finding> {
        if !self.is_output() {
            return None;
        }
        if self.mount.is_some_and(|mount| mount.read_only) {
            let message = format!("{}, read-only", self.describe_mount());
            return Some(self.wrong(message).fix(self.name_it(self.role.name())));
        }
        files::check_writable(&self.path).err().map(|error| self.refused(&error))
    }

    /// What is trained into a volume is kept, but people look for it in their folder.
    fn volume(&self) -> Option<Finding> {
        let mount = self.mount.filter(|mount| self.is_output() && self.is_point(mount))?;
        let name = mount.volume()?;
        if name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit()) {
            // Docker's name for a volume that was given none.
            let message = format!("{}, and goes with the container", self.describe_mount());
            return Some(self.wrong(message).fix(self.name_it(self.role.name())));
        }
        let finding = Finding::warn(self.role.name(), self.describe());
        Some(
            finding
                .fix(format!("to have the files in a folder: {}", self.name_it(self.role.name()))),
        )
    }

    /// A folder that this user may not use.
    fn refused(&self, error: &Error) -> Finding {
        let others = files::owner(&self.path)
            .zip(self.around.user)
            .filter(|([owner, _], [user, _])| owner != user);
        let whose = others.map_or(String::new(), |([owner, group], [user, own])| {
            format!("; it belongs to {owner}:{group}, and you are {user}:{own}")
        });
        let name = self.role.name();
        let fix = match (self.around.image, others) {
            _ if error.fault == Fault::Failed => error.hint.clone().unwrap_or_default(),
            (false, _) => format!("make it writable for you, or {}", self.name_it(name)),
            (true, Some((owner, _))) => way_in(owner, self.around.mapped, name),
            (true, None) => {
                format!("on the host: chmod u+rwx {name}; with SELinux add `:z` to the -v")
            }
        };
        self.wrong(format!("{error}{whose}")).fix(fix)
    }

    /// A folder that is as it should be.
    fn describe(&self) -> String {
        let mut text = self.describe_mount();
        if self.mount.is_some_and(|mount| mount.read_only) {
            text += ", read-only";
        }
        let (one, many) = match self.role {
            Role::Datasets => ("data set", "data sets"),
            Role::Models => ("run", "runs"),
            Role::Images => ("folder", "folders"),
        };
        let mut folders = files::some(&self.path, LOOKED_AT).unwrap_or_default();
        let more = if folders.len() < LOOKED_AT { "" } else { " and more" };
        folders.retain(|path| path.is_dir());
        folders.sort();
        let names: Vec<String> = folders.iter().map(|path| file_name(path)).collect();
        let count = plural(names.len(), one, many);
        text += &match (self.role, names.len()) {
            (_, 0) => format!(", no {many}"),
            (Role::Datasets, _) => format!(", {count}{more}: {}", list(&names, 4)),
            _ => format!(", {count}{more}"),
        };
        text
    }

    fn is_point(&self, mount: &Mount) -> bool {
        mount.point != Path::new("/")
            && self.path.canonicalize().is_ok_and(|path| path == mount.point)
    }

    /// The folder, and in a container what of the host it is.
    fn describe_mount(&self) -> String {
        let path = self.path.display();
        match self.mount.filter(|mount| self.around.image && self.is_point(mount)) {
            None => format!("`{path}`"),
            Some(mount) => match mount.volume() {
                Some(volume) => {
                    format!("`{path}` is the engine's volume `{volume}`, not a folder of yours")
                }
                // As its file system names it: the host may have that mounted anywhere.
                None if mount.root != Path::new("/") => {
                    format!("`{path}` is `{}` on the host's {}", mount.root.display(), mount.kind)
                }
                None => format!("`{path}` is a mount ({})", mount.kind),
            },
        }
    }
}

/// A missing data set's error, with what is odd about the folder and where else the name is.
pub fn explain_missing(
    error: Error,
    name: &str,
    folders: &Folders,
    around: &Surroundings,
) -> Error {
    let finding = check(Role::Datasets, folders, around);
    let elsewhere: Vec<String> = [Role::Models, Role::Images]
        .map(|role| role.folder(folders).join(name))
        .into_iter()
        .chain([folders.datasets.join(Role::Datasets.name()).join(name)])
        .filter(|path: &PathBuf| path.is_dir() && !name.is_empty())
        .map(|path| path.display().to_string())
        .collect();
    let mut causes: Vec<String> = error.cause.iter().cloned().collect();
    if finding.verdict != Verdict::Ok {
        causes = vec![finding.message];
    }
    if !elsewhere.is_empty() {
        causes.push(format!("the name is at {}", list(&elsewhere, 3)));
    }
    let hint = finding.fix.filter(|_| finding.verdict != Verdict::Ok).or(error.hint.clone());
    Error { cause: Some(causes.join("; ")), hint, ..error }
}

/// How a container gets to write into the folder `name` that belongs to others; `mapped` says that
/// users in here have other numbers outside.
fn way_in([owner, group]: [u32; 2], mapped: bool, name: &str) -> String {
    match owner {
        NOBODY => "its owner is unknown in here: run with --userns host (docker) or --userns keep-id (podman)".to_owned(),
        // Docker makes a missing folder as root. Where users are mapped, root in here is whoever
        // started the engine.
        0 if !mapped => format!(
            "on the host: sudo chown \"$(id -u):$(id -g)\" {name}; then run with --user \"$(id -u):$(id -g)\", or compose with TINDERBOX_UID=$(id -u) TINDERBOX_GID=$(id -g)"
        ),
        _ => format!(
            "run with --user {owner}:{group}, or compose with TINDERBOX_UID={owner} TINDERBOX_GID={group}"
        ),
    }
}
