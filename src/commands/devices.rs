//! `tinderbox devices`

use serde_json::json;
use tinderbox_base::Result;
use tinderbox_base::env::cores;
use tinderbox_base::units::plural;
use tinderbox_nn::device;
use tinderbox_nn::device::{Adapter, Request};

use super::Invocation;
use super::output::{Rows, print, print_json};

/// Lists the devices and says which one `auto` takes.
///
/// # Errors
/// If stdout cannot be written.
pub fn run(invocation: &Invocation) -> Result<()> {
    let auto = device::choose(Request::Auto)?;
    let adapters = device::adapters();
    let reason = auto.reason.unwrap_or_default();
    if invocation.json {
        return print_json(&json!({
            "auto": auto.id.to_string(),
            "reason": reason,
            "cpu": { "cores": cores(), "instructions": device::instruction_set() },
            "gpu_support": device::GPU_BUILD,
            "gpus": adapters,
        }));
    }
    let mut rows = Rows::new(&["DEVICE", "WHAT", ""]);
    let mark =
        |name: &str| if name == auto.id.to_string() { reason.to_owned() } else { String::new() };
    let cpu = format!("{}, {}", plural(cores(), "core", "cores"), device::instruction_set());
    rows.row(["cpu".to_owned(), cpu, mark("cpu")]);
    if cfg!(feature = "ndarray") {
        rows.row([
            "ndarray".to_owned(),
            "burn's ndarray backend, slow: to check others".to_owned(),
            String::new(),
        ]);
    }
    for Adapter { number, name, driver, interface, software } in &adapters {
        let device = format!("gpu:{number}");
        let software = if *software { ", in software: never taken by `auto`" } else { "" };
        let note = mark(&device);
        rows.row([device, format!("{name} ({interface}, {driver}){software}"), note]);
    }
    print(&rows.text())
}
