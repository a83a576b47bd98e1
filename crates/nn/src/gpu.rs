//! GPU adapters, through wgpu.

use std::path::PathBuf;
use std::sync::Once;

use burn::cubecl::config::cache::CacheConfig;
use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use burn::tensor::{Device, DeviceKind};
use tinderbox_base::{Result, env, files};

use crate::adapter::Adapter;

/// Every adapter with the burn device that stands for it: real ones first, in the driver's order.
pub fn adapters() -> Vec<(Adapter, Device)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::PRIMARY,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let found: Vec<wgpu::AdapterInfo> =
        pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY))
            .iter()
            .map(wgpu::Adapter::get_info)
            .collect();
    // burn counts the adapters of each type on the first interface that has one.
    let interface = found.first().map(|info| info.backend);
    let mut seen = [0usize; 3];
    let mut kinds: Vec<(wgpu::AdapterInfo, DeviceKind)> = Vec::new();
    for info in found.into_iter().filter(|info| Some(info.backend) == interface) {
        let mut next = |slot: usize| {
            seen[slot] += 1;
            seen[slot] - 1
        };
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(next(0)),
            wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(next(1)),
            wgpu::DeviceType::VirtualGpu => DeviceKind::VirtualGpu(next(2)),
            wgpu::DeviceType::Cpu => DeviceKind::Cpu,
            wgpu::DeviceType::Other => continue,
        };
        kinds.push((info, kind));
    }
    kinds.sort_by_key(|(_, kind)| *kind == DeviceKind::Cpu);
    kinds
        .into_iter()
        .enumerate()
        .map(|(number, (info, kind))| {
            let adapter = Adapter {
                number,
                name: info.name,
                driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
                interface: info.backend.to_string(),
                software: kind == DeviceKind::Cpu,
            };
            (adapter, Device::wgpu(kind))
        })
        .collect()
}

/// Tells burn where to keep its tuning cache, before its first use of a GPU: by default it would
/// write into the `target` folder of whatever Rust project the program is started in.
///
/// # Errors
/// If `TINDERBOX_TUNING` names a folder that cannot be made.
pub fn prepare() -> Result<()> {
    static ONCE: Once = Once::new();
    let folder = match cache_folder() {
        (folder, true) => {
            files::make_folder(&folder)?;
            folder
        }
        // Nobody asked for this place: tuning again is better than not computing.
        (folder, false)
            if files::make_folder(&folder)
                .and_then(|()| files::check_writable(&folder))
                .is_ok() =>
        {
            folder
        }
        _ => std::env::temp_dir().join("tinderbox"),
    };
    ONCE.call_once(|| {
        let mut config = CubeClRuntimeConfig::default().override_from_env();
        config.environment.path = CacheConfig::Directory(folder);
        CubeClRuntimeConfig::set(config);
    });
    Ok(())
}

/// `TINDERBOX_TUNING`, else the user's cache folder, else the folder for temporary files; and whether
/// it was asked for.
fn cache_folder() -> (PathBuf, bool) {
    let user = || env::var("HOME").map(|home| PathBuf::from(home).join(".cache"));
    if let Some(folder) = env::var("TINDERBOX_TUNING") {
        return (folder.into(), true);
    }
    let folder = env::var("XDG_CACHE_HOME").map(PathBuf::from).or_else(user);
    (folder.unwrap_or_else(std::env::temp_dir).join("tinderbox"), false)
}
