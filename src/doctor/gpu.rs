//! GPU adapters; and where one is passed in but not seen, why.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tinderbox_base::{env, files};
use tinderbox_nn::device::{Adapter, GPU_BUILD, Request, adapters, choose};
use tinderbox_nn::{Context, Kernels};
use tinderbox_train::audit_device;

use super::Finding;

/// Folders in which Vulkan's loader looks for drivers.
const DRIVERS: [&str; 3] =
    ["/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
/// Folders in which the dynamic loader finds libraries that are named without a path.
const LIBRARIES: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/lib64",
    "/usr/local/lib",
];

/// What fits a container is told in a container of ours, what fits a machine elsewhere.
#[derive(Clone, Copy)]
struct Advice {
    image: bool,
}

/// A line an adapter, and a line a card that cannot be used.
pub fn check(image: bool) -> Vec<Finding> {
    let exists = |path: &str| Path::new(path).exists();
    let nvidia = exists("/dev/nvidiactl") || exists("/dev/dxg");
    let nodes = files::some("/dev/dri".as_ref(), 64).unwrap_or_default();
    let nodes: Vec<PathBuf> = nodes.into_iter().filter(|path| is_render_node(path)).collect();
    if !GPU_BUILD {
        // Most computers have some GPU: only where somebody passed one in, they wait for it.
        return vec![unused(image && (nvidia || !nodes.is_empty()))];
    }
    let advice = Advice { image };
    let adapters = adapters();
    let mut findings: Vec<Finding> = adapters.iter().map(seen).collect();
    let is = |adapter: &Adapter, name: &str| adapter.name.to_lowercase().contains(name);
    let real: Vec<&Adapter> = adapters.iter().filter(|adapter| !adapter.software).collect();
    if nvidia && !real.iter().any(|adapter| is(adapter, "nvidia")) {
        findings.push(advice.hidden_nvidia());
    } else if !nodes.is_empty() && real.is_empty() {
        findings.push(advice.hidden_node(&nodes));
    } else if real.is_empty() {
        // The host's driver shows in every container, also where no card is passed in.
        findings.push(advice.none(&adapters, exists("/proc/driver/nvidia/version")));
    }
    findings
}

fn is_nvidias(manifest: &Path) -> bool {
    manifest.file_name().is_some_and(|name| name.to_string_lossy().contains("nvidia"))
}

fn is_render_node(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("renderD"))
}

/// A build for CPUs: whether a card is passed in for nothing.
fn unused(card: bool) -> Finding {
    if card {
        return Finding::warn("gpu", "a card is passed in, but this image has no GPU support")
            .fix("use the image tinderbox:gpu");
    }
    Finding::ok("gpu", "not used: this build computes on the CPU")
}

fn seen(adapter: &Adapter) -> Finding {
    let Adapter { number, name, driver, interface, software } = adapter;
    let what = format!("gpu:{number} {name} ({interface}, {driver})");
    if *software {
        return Finding::ok("gpu", format!("{what}, in software: never taken by `auto`"));
    }
    match choose(Request::Gpu(Some(*number)))
        .and_then(|chosen| audit_device(&Context::new(&chosen, Kernels::On)))
    {
        Ok(()) => Finding::ok("gpu", format!("{what}, computes as the CPU does")),
        Err(error) => {
            let fix = error.hint.clone().unwrap_or_default();
            Finding::warn("gpu", format!("{what}: {error}")).fix(fix)
        }
    }
}

impl Advice {
    fn fix(self, finding: Finding, image: &str, machine: &str) -> Finding {
        finding.fix(if self.image { image } else { machine })
    }

    /// There is an NVIDIA card, but Vulkan does not see it: its driver's files are missing.
    fn hidden_nvidia(self) -> Finding {
        if find_library("libGLX_nvidia.so.0").is_none() {
            return self.fix(
                Finding::warn("gpu", "there is an NVIDIA card, but not its Vulkan driver"),
                "add -e NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics (needs the NVIDIA container toolkit on the host)",
                "install the part of NVIDIA's driver that has libGLX_nvidia.so.0 (Debian: nvidia-vulkan-icd)",
            );
        }
        let manifests = manifests();
        let Some(path) = manifests.iter().find(|path| is_nvidias(path)) else {
            return self.fix(
                Finding::warn("gpu", "the NVIDIA driver is here, but no nvidia_icd.json names it"),
                "update the NVIDIA container toolkit, or mount the host's /usr/share/vulkan/icd.d/nvidia_icd.json",
                "install NVIDIA's nvidia_icd.json (Debian: nvidia-vulkan-icd)",
            );
        };
        let message = format!("`{}` is here, but Vulkan sees no NVIDIA card", path.display());
        let finding = Finding::warn("gpu", message);
        match broken(&manifests) {
            Some(why) => finding.fix(why),
            None => self.fix(
                finding,
                "after an update of the host's driver, restart the container",
                "after an update of the driver, restart the machine",
            ),
        }
    }

    /// There is a device node, but no driver opens it.
    fn hidden_node(self, nodes: &[PathBuf]) -> Finding {
        if let Some(node) = nodes.iter().find(|path| files::open(path).is_err()) {
            let group = files::owner(node).map_or_else(String::new, |[_, group]| group.to_string());
            return self.fix(
                Finding::warn("gpu", format!("this user may not open `{}`", node.display())),
                &format!("add --group-add {group}"),
                "add yourself to the group: sudo usermod -aG render \"$USER\"; then log in again",
            );
        }
        let finding =
            Finding::warn("gpu", "there is a card at /dev/dri, but Vulkan has no driver for it");
        let mut manifests = manifests();
        manifests.retain(|path| !is_nvidias(path)); // its driver comes with the card
        match broken(&manifests) {
            Some(why) => finding.fix(why),
            None => self.fix(
                finding,
                "this image has drivers for NVIDIA and Intel; for AMD build it with --drivers all",
                "install a Vulkan driver (Debian: mesa-vulkan-drivers)",
            ),
        }
    }

    fn none(self, adapters: &[Adapter], on_host: bool) -> Finding {
        let message = if adapters.is_empty() { "no GPU found" } else { "only a software one" };
        let finding = Finding::warn("gpu", format!("{message}: `auto` takes the CPU"));
        let image = if on_host {
            "the host has an NVIDIA card: add --gpus all (podman: --device nvidia.com/gpu=all)"
        } else {
            "NVIDIA: --gpus all; AMD, Intel: --device /dev/dri --group-add \"$(stat -c %g /dev/dri/renderD128)\""
        };
        self.fix(finding, image, "if there is a card, install its Vulkan driver")
    }
}

/// The files that name Vulkan's drivers.
fn manifests() -> Vec<PathBuf> {
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].into_iter().find_map(env::var);
    match named {
        Some(list) => list.split(':').map(PathBuf::from).collect(),
        None => {
            DRIVERS.iter().flat_map(|dir| files::list(dir.as_ref()).unwrap_or_default()).collect()
        }
    }
}

/// What is wrong with the first driver that cannot be loaded.
fn broken(manifests: &[PathBuf]) -> Option<String> {
    manifests.iter().find_map(|path| {
        let text = match files::read_text(path) {
            Ok(text) => text,
            Err(error) => return Some(error.to_string()),
        };
        let manifest: Value = serde_json::from_str(&text).ok()?;
        let library = manifest["ICD"]["library_path"].as_str()?;
        let missing = find_library(library).is_none();
        missing.then(|| format!("`{}` names `{library}`, which is not here", path.display()))
    })
}

/// Where a library lies.
fn find_library(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.exists());
    }
    let folders = env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let folders = folders.split(':').filter(|folder| !folder.is_empty());
    folders.chain(LIBRARIES).map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}
