//! Which device computes: asked for, looked for, chosen, and why.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tinderbox_base::{Error, Result};

/// A device as a person asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Request {
    /// A real GPU when there is one and this build can use it, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU: the first real one, or the one of that number in the list of `devices`.
    Gpu(Option<usize>),
    /// burn's ndarray backend: slow, the referee.
    Ndarray,
}

impl std::str::FromStr for Request {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu(None)),
            "ndarray" => Ok(Self::Ndarray),
            _ => text
                .strip_prefix("gpu:")
                .and_then(|number| number.parse().ok())
                .map(|number| Self::Gpu(Some(number)))
                .ok_or_else(|| {
                    Error::usage(format!("no device `{text}`"))
                        .hint("the devices are `auto`, `cpu`, `gpu`, `gpu:N`, `ndarray`")
                }),
        }
    }
}

impl TryFrom<String> for Request {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Request> for String {
    fn from(request: Request) -> Self {
        request.to_string()
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(None) => f.write_str("gpu"),
            Self::Gpu(Some(number)) => write!(f, "gpu:{number}"),
            Self::Ndarray => f.write_str("ndarray"),
        }
    }
}

/// A device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceId {
    /// The CPU.
    Cpu,
    /// The GPU of this number in the list of `devices`, real or in software.
    Gpu(usize),
    /// burn's ndarray backend.
    Ndarray,
}

impl DeviceId {
    /// Whether it is a GPU, real or in software.
    #[must_use]
    pub fn is_gpu(self) -> bool {
        matches!(self, Self::Gpu(_))
    }
}

impl std::fmt::Display for DeviceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(number) => write!(f, "gpu:{number}"),
            Self::Ndarray => f.write_str("ndarray"),
        }
    }
}

/// The device that computes.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The device, without autodiff.
    pub device: Device,
    /// Which one it is; it is written as a flag takes it: `cpu`, `gpu:0`, `ndarray`.
    pub id: DeviceId,
    /// What it is, for people: `AVX2`, `NVIDIA H100`.
    pub description: String,
    /// Why it was taken, where nobody asked for it by name.
    pub reason: Option<&'static str>,
}

pub use crate::adapter::Adapter;

/// Whether this build can use a GPU.
pub const GPU_BUILD: bool = cfg!(feature = "gpu");

/// The GPU adapters of this machine, real ones first; none when this build cannot use them.
#[must_use]
pub fn adapters() -> Vec<Adapter> {
    #[cfg(feature = "gpu")]
    return crate::gpu::adapters().into_iter().map(|(adapter, _)| adapter).collect();
    #[cfg(not(feature = "gpu"))]
    Vec::new()
}

/// The device for a request.
///
/// # Errors
/// If there is no such device, or this build cannot use it.
pub fn choose(request: Request) -> Result<Chosen> {
    match request {
        Request::Auto => auto(),
        Request::Cpu => Ok(cpu(None)),
        Request::Ndarray => ndarray(),
        Request::Gpu(number) => gpu(number),
    }
}

fn auto() -> Result<Chosen> {
    if !GPU_BUILD {
        return Ok(cpu(Some("auto: this build has no GPU support")));
    }
    match adapters().first() {
        Some(adapter) if !adapter.software => {
            let chosen = gpu(Some(adapter.number))?;
            Ok(Chosen { reason: Some("auto: a GPU is there"), ..chosen })
        }
        Some(_) => Ok(cpu(Some("auto: the only GPU is a software one"))),
        None => Ok(cpu(Some("auto: no GPU found"))),
    }
}

/// The CPU, and why it was taken.
pub(crate) fn cpu(reason: Option<&'static str>) -> Chosen {
    let description = instruction_set().to_owned();
    Chosen { device: Device::flex(), id: DeviceId::Cpu, description, reason }
}

#[allow(deprecated, clippy::unnecessary_wraps)] // burn drops ndarray in 0.23; until then it is the independent referee
fn ndarray() -> Result<Chosen> {
    #[cfg(feature = "ndarray")]
    return Ok(Chosen {
        device: Device::ndarray(),
        id: DeviceId::Ndarray,
        description: "burn's ndarray backend".to_owned(),
        reason: None,
    });
    #[cfg(not(feature = "ndarray"))]
    Err(Error::environment("the device `ndarray` is not in this build")
        .hint("build with `--features ndarray`, or use `--device cpu`"))
}

#[cfg(not(feature = "gpu"))]
fn gpu(_: Option<usize>) -> Result<Chosen> {
    Err(Error::environment("this build has no GPU support")
        .hint("build with `--features gpu`, or use `--device cpu`"))
}

#[cfg(feature = "gpu")]
fn gpu(number: Option<usize>) -> Result<Chosen> {
    let found = crate::gpu::adapters();
    let wanted = |adapter: &Adapter| match number {
        Some(number) => adapter.number == number,
        None => !adapter.software, // never a software GPU that was not asked for by number
    };
    if let Some((adapter, device)) = found.iter().find(|(adapter, _)| wanted(adapter)) {
        crate::gpu::prepare()?;
        let software = if adapter.software { ", in software" } else { "" };
        return Ok(Chosen {
            device: device.clone(),
            id: DeviceId::Gpu(adapter.number),
            description: format!("{}{software}", adapter.name),
            reason: None,
        });
    }
    let name = |a: &Adapter| {
        format!("gpu:{} {}{}", a.number, a.name, if a.software { " (software)" } else { "" })
    };
    let names: Vec<String> = found.iter().map(|(adapter, _)| name(adapter)).collect();
    Err(Error::environment(format!("no GPU for `{}`", Request::Gpu(number)))
        .cause(format!("adapters found: {}", tinderbox_base::units::list(&names, 8)))
        .hint("`tinderbox devices` lists what there is; `--device cpu` always works"))
}

/// The widest vector instructions of this CPU that the program has code for.
#[must_use]
pub fn instruction_set() -> &'static str {
    tinderbox_kernels::Isa::best().name()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_are_written() {
        for text in ["auto", "cpu", "gpu", "gpu:2", "ndarray"] {
            assert_eq!(text.parse::<Request>().unwrap().to_string(), text);
        }
        for text in ["", "cuda", "gpu:", "gpu:x", "gpu:-1"] {
            assert!(text.parse::<Request>().unwrap_err().hint.unwrap().contains("ndarray"));
        }
    }

    #[test]
    fn the_cpu_is_always_there() {
        assert_eq!(choose(Request::Cpu).unwrap().id, DeviceId::Cpu);
        assert!(choose(Request::Auto).is_ok());
    }
}
