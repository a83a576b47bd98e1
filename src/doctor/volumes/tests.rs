//! Folders as containers mount them, right and wrong.

use tempfile::TempDir;

use super::*;
use crate::doctor::mounts::Mounts;

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
        Surroundings {
            image,
            mounts: Mounts::parse(&self.mounts),
            user: Some([4242, 4343]),
            mapped: false,
        }
    }

    /// The finding on a folder, with the container's root left out of its words.
    fn finds(&self, role: Role) -> (Verdict, String, String) {
        let finding = check(role, &self.folders(), &self.around(true));
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
        "`/datasets` is `/host/datasets` on the host's ext4, 1 data set: `pets`",
        "",
    );
    told(&container, Models, Verdict::Ok, "1 run", "");
    told(&container, Images, Verdict::Ok, "no folders", "");
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
    let gone = Folders { models: container.root.path().join("none/models"), ..container.folders() };
    for folders in [container.folders(), gone] {
        let around = Surroundings { mounts: Mounts::default(), ..container.around(false) };
        for finding in Role::ALL.map(|role| check(role, &folders, &around)) {
            assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
        }
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
    told(&above, Datasets, Warn, "only a folder `datasets`", "-v \"$PWD/datasets:/datasets:ro\"");
    let one = Container::with(&["datasets/cat/1.jpg", "datasets/dog/1.png"]);
    told(&one, Datasets, Warn, "is itself a data set", "`tinderbox train /datasets`");
}

#[test]
fn a_run_named_models_is_no_nesting() {
    let container = Container::with(&["models/models/run.toml", "models/models/model.safetensors"]);
    told(&container, Models, Verdict::Ok, "1 run", "");
}

#[test]
fn empty_folders_and_volumes_of_the_engine_are_told() {
    let container = Container::with(&[]);
    told(&container, Datasets, Warn, "and it holds no folders", "$PWD/datasets");
    let volume = "/var/lib/docker/volumes/models/_data";
    let container = Container::new().mount_as(volume, "models", "rw - ext4 /dev/sda1 rw");
    told(&container, Models, Warn, "volume `models`, not a folder of yours", "$PWD/models");
}

#[test]
fn what_cannot_be_written_is_told() {
    let container = Container::new().mount_as("/host/models", "models", "ro - ext4 /dev/sda1 rw");
    told(&container, Models, Fail, "read-only", "-v \"$PWD/models:/models\"");
    let container = Container::new();
    files::replace(&container.root.path().join("file"), b"").unwrap();
    let folders = Folders { images: container.root.path().join("file"), ..container.folders() };
    let finding = check(Images, &folders, &container.around(true));
    assert!(finding.verdict == Fail && finding.message.ends_with("is a file, not a folder"));
}

#[test]
fn a_folder_of_others_is_answered_with_who_to_be() {
    for (owner, mapped, said) in [
        ([1001, 50], false, "--user 1001:50, or compose with TINDERBOX_UID=1001 TINDERBOX_GID=50"),
        ([0, 0], true, "--user 0:0, or compose with TINDERBOX_UID=0 TINDERBOX_GID=0"),
        ([0, 0], false, "sudo chown \"$(id -u):$(id -g)\" models; then run with --user"),
        ([NOBODY, NOBODY], true, "--userns host (docker) or --userns keep-id (podman)"),
    ] {
        let fix = way_in(owner, mapped, "models");
        assert!(fix.contains(said), "{owner:?} {mapped}: {fix}");
    }
}

#[test]
fn a_missing_data_set_is_looked_for_elsewhere() {
    let container = Container::with(&["models/pets/cat/1.jpg"]);
    let error = Error::input("no data set `pets`").cause("there are none").hint("look");
    let error = explain_missing(error, "pets", &container.folders(), &container.around(true));
    let cause = error.cause.unwrap();
    assert!(cause.contains("it holds no folders; the name is at"), "{cause}");
    assert!(error.hint.unwrap().contains("-v \"$PWD/datasets:"));
}

#[test]
fn a_folder_of_the_hosts_memory_and_one_for_both_outputs_are_right() {
    let container =
        Container::new().mount_as("/try/models", "models", "rw - tmpfs tmpfs rw").mount("images");
    told(&container, Models, Verdict::Ok, "on the host's tmpfs", "");
    let mut container = Container::with(&["images/a/model.safetensors", "images/a/curves.png"]);
    told(&container, Images, Verdict::Ok, "1 folder", "");
    container.add(&["models/train/run.toml", "models/train/model.safetensors"]);
    told(&container, Models, Verdict::Ok, "1 run", "");
}

#[test]
fn a_volume_without_a_name_would_not_be_kept() {
    let volume = format!("/var/lib/docker/volumes/{}/_data", "0a".repeat(32));
    let container = Container::new().mount_as(&volume, "models", "rw - ext4 /dev/sda1 rw");
    told(&container, Models, Fail, "goes with the container", "$PWD/models");
}
