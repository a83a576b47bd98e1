//! A training step as a process of its own, to see whether it fits into a GPU.

use tinderbox_base::process::itself;
use tinderbox_base::{Error, Result};
use tinderbox_nn::device::{Chosen, DeviceId};
use tinderbox_nn::memory;
use tinderbox_train::{Machine, Need};

/// What a training may take on a device.
pub fn machine(chosen: &Chosen) -> Machine<'static> {
    match chosen.id {
        DeviceId::Cpu | DeviceId::Ndarray => {
            Machine { name: chosen.id.to_string(), ..Machine::cpu() }
        }
        DeviceId::Gpu(_) => Machine {
            name: chosen.id.to_string(),
            memory: memory::total(),
            splits_batches: true,
            refusal: &try_step,
        },
    }
}

/// Why a training step fails, tried in a process of its own: a device that has run out of memory
/// may not recover in the same one.
fn try_step(need: &Need<'_>, images: usize) -> Result<Option<String>> {
    let [channels, height, width] = need.input;
    let numbers = [
        ("--size", height.max(width)),
        ("--channels", channels),
        ("--classes", need.classes),
        ("--batch", images),
        ("--steps", 1),
    ];
    let mut command = itself()?;
    command.args(["bench", "--only", "training", "--device", &need.machine.name]);
    command.args(["--model", need.model]);
    for (flag, number) in numbers {
        command.args([flag, &number.to_string()]);
    }
    let output = command
        .output()
        .map_err(|cause| Error::environment("cannot start a trial step").cause(cause))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let why = text.lines().next().unwrap_or("the trial step ended without a word");
    Ok((!output.status.success()).then(|| why.to_owned()))
}
