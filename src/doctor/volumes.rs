//! The three folders: mounted, of the right kind, readable or writable, and what to type if not.

use std::path::{Path, PathBuf};

use super::mounts::Mount;
use super::places::{Content, Role, Surroundings, content, mount_of};
use super::{Finding, Verdict};
use crate::base::units::{list, plural};
use crate::base::{Error, files};
use crate::config::Folders;

/// One finding a folder.
pub fn check(folders: &Folders, around: &Surroundings) -> Vec<Finding> {
    let place = |role: Role| Place::new(role, role.folder(folders), around);
    Role::ALL.map(|role| place(role).check()).into()
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
            format!("-v \"$PWD/{host}:{}{only}\"", self.path.display())
        } else {
            format!("name another folder by `--{name} DIR` or `TINDERBOX_{}`", name.to_uppercase())
        }
    }

    fn missing(&self) -> Finding {
        let (name, path) = (self.role.name(), self.path.display());
        if !self.is_output() {
            let message = format!("no folder `{path}`: only the data set inside the program");
            let finding = Finding::new(
                if self.around.image { Verdict::Warn } else { Verdict::Ok },
                name,
                message,
            );
            return if self.around.image { finding.fix(self.name_it(name)) } else { finding };
        }
        let whole = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let above = whole.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let place = Place::new(self.role, above, self.around);
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
        } else if mount.kind == "tmpfs" {
            format!("`{path}` lies in memory")
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
            (Role::Datasets, Content::Nothing) if self.around.image => "it is empty",
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
            Ok(Content::Folders(_) | Content::Runs | Content::OneDataset)
        ) && !inner.join("model.safetensors").exists()
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
        self.mount.filter(|mount| self.is_output() && self.is_point(mount))?.volume()?;
        let finding = Finding::warn(self.role.name(), self.describe());
        Some(
            finding
                .fix(format!("to have the files in a folder: {}", self.name_it(self.role.name()))),
        )
    }

    /// A folder that this user may not use.
    fn refused(&self, error: &Error) -> Finding {
        let owner = files::owner(&self.path);
        let others = owner.zip(self.around.user).filter(|(owner, user)| owner[0] != user[0]);
        let whose = others.map_or(String::new(), |([owner, group], [user, own])| {
            format!("; it belongs to {owner}:{group}, and you are {user}:{own}")
        });
        self.wrong(format!("{error}{whose}")).fix(match (self.around.image, others) {
            // Docker makes a missing folder as root.
            (true, Some(([0, _], _))) => format!(
                "on the host: sudo chown \"$(id -u):$(id -g)\" {}; then run with --user \"$(id -u):$(id -g)\" (rootless podman: --userns keep-id)",
                self.role.name()
            ),
            (true, Some(([owner, group], _))) => format!("run with --user {owner}:{group}"),
            (true, None) => format!("on the host: chmod u+rwx {}", self.role.name()),
            (false, _) => {
                format!("make it writable for you, or {}", self.name_it(self.role.name()))
            }
        })
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
        let names: Vec<String> = files::list(&self.path)
            .unwrap_or_default()
            .iter()
            .filter(|path| path.is_dir())
            .map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
            .collect();
        text += &match (self.role, names.len()) {
            (_, 0) => ", empty".to_owned(),
            (Role::Datasets, n) => format!(", {}: {}", plural(n, one, many), list(&names, 4)),
            (_, n) => format!(", {}", plural(n, one, many)),
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
                None => format!("`{path}` is the host's `{}`", mount.root.display()),
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
    let finding = Place::new(Role::Datasets, &folders.datasets, around).check();
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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::mounts::Mounts;
    use super::*;

    /// A container of ours: its root, and folders that are mounted from `/host/NAME`.
    struct Container {
        root: TempDir,
        mounts: String,
    }

    impl Container {
        fn new() -> Self {
            let root = TempDir::new().unwrap();
            for role in Role::ALL {
                files::make_folder(&root.path().join(role.name())).unwrap();
            }
            let mounts = "1 0 0:1 / / ro - overlay overlay rw\n".to_owned();
            Self { root, mounts }
        }

        fn with(files: &[&str]) -> Self {
            let mut container = Self::new().mount("datasets").mount("models").mount("images");
            container.add(files);
            container
        }

        fn add(&mut self, names: &[&str]) {
            for name in names {
                let path = self.root.path().join(name);
                files::make_folder(path.parent().unwrap()).unwrap();
                files::replace(&path, b"").unwrap();
            }
        }

        fn mount(self, name: &str) -> Self {
            let line = format!("rw - ext4 /dev/sda1 rw,of={name}");
            self.mount_as(&format!("/host/{name}"), name, &line)
        }

        fn mount_as(mut self, host: &str, name: &str, rest: &str) -> Self {
            let point = self.root.path().canonicalize().unwrap().join(name);
            self.mounts += &format!("2 1 8:1 {host} {} {rest}\n", point.display());
            self
        }

        fn folders(&self) -> Folders {
            let at = |name: &str| self.root.path().join(name);
            Folders { datasets: at("datasets"), models: at("models"), images: at("images") }
        }

        fn around(&self, image: bool) -> Surroundings {
            Surroundings { image, mounts: Mounts::parse(&self.mounts), user: Some([4242, 4343]) }
        }

        /// The finding on a folder, with the container's root left out of its words.
        fn finds(&self, role: Role) -> (Verdict, String, String) {
            let finding = check(&self.folders(), &self.around(true)).remove(role as usize);
            let root = self.root.path().display().to_string();
            let plain = |text: String| text.replace(&root, "");
            (finding.verdict, plain(finding.message), plain(finding.fix.unwrap_or_default()))
        }
    }

    use Role::{Datasets, Images, Models};
    use Verdict::{Fail, Warn};

    #[track_caller]
    fn told(container: &Container, role: Role, verdict: Verdict, message: &str, fix: &str) {
        let found = container.finds(role);
        assert_eq!(found.0, verdict, "{found:?}");
        assert!(found.1.contains(message), "{found:?}");
        assert!(found.2.contains(fix), "{found:?}");
    }

    #[test]
    fn right_mounts_are_ok_and_say_what_they_are() {
        let container = Container::with(&["datasets/pets/train/cat/1.jpg", "models/a/run.toml"]);
        told(
            &container,
            Datasets,
            Verdict::Ok,
            "`/datasets` is the host's `/host/datasets`, 1 data set: `pets`",
            "",
        );
        told(&container, Models, Verdict::Ok, "1 run", "");
        told(&container, Images, Verdict::Ok, "empty", "");
    }

    #[test]
    fn without_a_mount_nothing_would_be_kept() {
        let container = Container::new();
        told(&container, Models, Fail, "vanish with the container", "-v \"$PWD/models:/models\"");
        told(&container, Images, Fail, "is not a mount", "-v \"$PWD/images:/images\"");
        told(&container, Datasets, Warn, "is not a mount", "-v \"$PWD/datasets:/datasets:ro\"");
        let memory = Container::new().mount_as("/", "models", "rw - tmpfs tmpfs rw");
        told(&memory, Models, Fail, "lies in memory", "-v \"$PWD/models:/models\"");
    }

    #[test]
    fn a_workstation_needs_no_mounts_and_no_folders() {
        let container = Container::new();
        let gone =
            Folders { models: container.root.path().join("none/models"), ..container.folders() };
        for folders in [container.folders(), gone] {
            let around = Surroundings { mounts: Mounts::default(), ..container.around(false) };
            let findings = check(&folders, &around);
            assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:?}");
        }
    }

    #[test]
    fn swapped_and_nested_folders_are_recognised() {
        let runs = ["datasets/a/run.toml", "models/a/batch.png", "images/a/model.safetensors"];
        let container = Container::with(&runs);
        told(&container, Datasets, Warn, "it holds trained models", "-v \"$PWD/datasets:");
        told(&container, Models, Fail, "it holds pictures of runs", "-v \"$PWD/models:");
        told(&container, Images, Fail, "it holds trained models", "-v \"$PWD/images:");
        let container = Container::with(&["models/pets/train/cat/1.jpg"]);
        told(&container, Models, Fail, "it holds data sets", "-v \"$PWD/models:/models\"");
        let nested = Container::with(&["datasets/datasets/pets/cat/1.jpg"]);
        told(
            &nested,
            Datasets,
            Warn,
            "only a folder `datasets`",
            "-v \"$PWD/datasets/datasets:/datasets:ro\"",
        );
        let above = Container::new().mount_as("/host", "datasets", "ro - ext4 /dev/sda1 rw");
        files::make_folder(&above.root.path().join("datasets/datasets/pets")).unwrap();
        told(
            &above,
            Datasets,
            Warn,
            "only a folder `datasets`",
            "-v \"$PWD/datasets:/datasets:ro\"",
        );
        let one = Container::with(&["datasets/cat/1.jpg", "datasets/dog/1.png"]);
        told(&one, Datasets, Warn, "is itself a data set", "`tinderbox train /datasets`");
    }

    #[test]
    fn a_run_named_models_is_no_nesting() {
        let container =
            Container::with(&["models/models/run.toml", "models/models/model.safetensors"]);
        told(&container, Models, Verdict::Ok, "1 run", "");
    }

    #[test]
    fn empty_folders_and_volumes_of_the_engine_are_told() {
        let container = Container::with(&[]);
        told(&container, Datasets, Warn, "`/host/datasets`, and it is empty", "$PWD/datasets");
        let volume = "/var/lib/docker/volumes/models/_data";
        let container = Container::new().mount_as(volume, "models", "rw - ext4 /dev/sda1 rw");
        told(&container, Models, Warn, "volume `models`, not a folder of yours", "$PWD/models");
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let container =
            Container::new().mount_as("/host/models", "models", "ro - ext4 /dev/sda1 rw");
        told(&container, Models, Fail, "read-only", "-v \"$PWD/models:/models\"");
        let container = Container::new();
        files::replace(&container.root.path().join("file"), b"").unwrap();
        let folders = Folders { images: container.root.path().join("file"), ..container.folders() };
        let finding = check(&folders, &container.around(true)).remove(2);
        assert!(finding.verdict == Fail && finding.message.ends_with("is a file, not a folder"));
    }

    #[test]
    fn a_missing_data_set_is_looked_for_elsewhere() {
        let container = Container::with(&["models/pets/cat/1.jpg"]);
        let error = Error::input("no data set `pets`").cause("there are none").hint("look");
        let error = explain_missing(error, "pets", &container.folders(), &container.around(true));
        let cause = error.cause.unwrap();
        assert!(cause.contains("it is empty; the name is at"), "{cause}");
        assert!(error.hint.unwrap().contains("-v \"$PWD/datasets:"));
    }
}
