//! GPU adapters; and where one is passed in but not seen, why.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Finding;
use crate::base::{env, files};
use crate::ops::device::{Adapter, GPU_BUILD, adapters};

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

/// A line an adapter, and a line a card that cannot be used.
pub fn check() -> Vec<Finding> {
    let nvidia = ["/dev/nvidiactl", "/proc/driver/nvidia/version"];
    let nvidia = nvidia.iter().any(|path| Path::new(path).exists());
    let nodes = files::some("/dev/dri".as_ref(), 64).unwrap_or_default();
    let nodes: Vec<PathBuf> = nodes.into_iter().filter(|path| is_render_node(path)).collect();
    if !GPU_BUILD {
        return vec![unused(nvidia || !nodes.is_empty())];
    }
    let adapters = adapters();
    let mut findings: Vec<Finding> = adapters.iter().map(seen).collect();
    let is = |adapter: &Adapter, name: &str| adapter.name.to_lowercase().contains(name);
    let real: Vec<&Adapter> = adapters.iter().filter(|adapter| !adapter.software).collect();
    if nvidia && !real.iter().any(|adapter| is(adapter, "nvidia")) {
        findings.push(hidden_nvidia());
    } else if !nodes.is_empty() && real.is_empty() {
        findings.push(hidden_node(&nodes));
    } else if real.is_empty() {
        findings.push(none(&adapters));
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
        return Finding::warn("gpu", "a card is here, but this build has no GPU support")
            .fix("use the image tinderbox:gpu, or build with --features gpu");
    }
    Finding::ok("gpu", "not used: this build computes on the CPU")
}

fn seen(adapter: &Adapter) -> Finding {
    let Adapter { number, name, driver, interface, software } = adapter;
    let what = format!("gpu:{number} {name} ({interface}, {driver})");
    if *software {
        return Finding::ok("gpu", format!("{what}, in software: never taken by `auto`"));
    }
    Finding::ok("gpu", what)
}

/// An NVIDIA card is passed in, but Vulkan does not see it: its driver's files are missing.
fn hidden_nvidia() -> Finding {
    if find_library("libGLX_nvidia.so.0").is_none() {
        return Finding::warn("gpu", "an NVIDIA card is passed in, but its Vulkan driver is not").fix(
            "add -e NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics (needs the NVIDIA container toolkit on the host)",
        );
    }
    let manifests = manifests();
    let nvidia = manifests.iter().find(|path| is_nvidias(path));
    match nvidia {
        None => Finding::warn("gpu", "the NVIDIA driver is here, but no nvidia_icd.json names it").fix(
            "update the NVIDIA container toolkit, or mount the host's /usr/share/vulkan/icd.d/nvidia_icd.json",
        ),
        Some(path) => Finding::warn(
            "gpu",
            format!("`{}` is here, but Vulkan sees no NVIDIA card", path.display()),
        )
        .fix(broken(&manifests).unwrap_or_else(|| {
            "host and container may have different driver versions: restart the container".to_owned()
        })),
    }
}

/// A device node is passed in, but no driver opens it.
fn hidden_node(nodes: &[PathBuf]) -> Finding {
    let closed = nodes.iter().find(|path| files::open(path).is_err());
    if let Some(node) = closed {
        let group = files::owner(node).map_or_else(String::new, |[_, group]| group.to_string());
        return Finding::warn("gpu", format!("this user may not open `{}`", node.display()))
            .fix(format!("add --group-add {group}"));
    }
    let message = "a card is passed in by /dev/dri, but Vulkan has no driver for it";
    let mut manifests = manifests();
    manifests.retain(|path| !is_nvidias(path)); // its driver comes with the card
    Finding::warn("gpu", message).fix(broken(&manifests).unwrap_or_else(|| {
        "the image tinderbox:gpu has drivers for NVIDIA and Intel; for AMD build it with --drivers all".to_owned()
    }))
}

fn none(adapters: &[Adapter]) -> Finding {
    let message = if adapters.is_empty() { "no GPU found" } else { "only a software one" };
    Finding::warn("gpu", format!("{message}: `auto` takes the CPU")).fix(
        "NVIDIA: --gpus all; AMD, Intel: --device /dev/dri --group-add \"$(stat -c %g /dev/dri/renderD128)\"",
    )
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
