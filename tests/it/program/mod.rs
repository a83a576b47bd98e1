//! The command line, settings, output, and what must hold of every command.

pub mod bad_settings;
pub mod doctor;
pub mod example;
pub mod firewall;
pub mod help;
pub mod hostile;
pub mod output;
pub mod settings;
