//! The program as a process of its own.

#![allow(clippy::disallowed_methods)] // this is the room they are allowed in

use std::process::{Command, Stdio};

use crate::{Error, Result};

/// What a child keeps of the environment's settings: where tuning results are.
const KEPT: &str = "TINDERBOX_TUNING";

/// This program, to be run with nothing but the arguments that it is given.
///
/// # Errors
/// If the operating system does not say where it is.
pub fn itself() -> Result<Command> {
    let program = std::env::current_exe()
        .map_err(|cause| Error::environment("cannot find the program itself").cause(cause))?;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TINDERBOX_") && name != KEPT {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    Ok(command)
}
