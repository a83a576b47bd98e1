//! Tests of the program as people use it: each runs the real binary in a temporary folder.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods, // `std::fs` is for tests
    clippy::cast_possible_truncation, // pictures are drawn from small numbers
    clippy::cast_sign_loss
)]

mod accuracy;
mod bad_data;
mod bad_models;
mod bad_settings;
mod doctor;
mod draw;
mod evaluate;
mod example;
mod fetch;
mod fetch_archives;
#[cfg(feature = "fetch")]
mod fetch_network;
mod files;
mod firewall;
mod format_one;
mod gpu;
mod help;
mod hostile;
mod kernels;
mod lab;
mod mutations;
mod output;
mod predict;
mod quarantine;
mod resume;
mod same_bits;
mod settings;
#[cfg(unix)]
mod signals;
#[cfg(target_os = "linux")]
mod soak;
mod sources;
mod tables;
mod train;
#[cfg(unix)]
mod vanish;
mod variety;
#[cfg(feature = "fetch")]
mod web;

/// Counts what a test holds; see [`hostile`].
#[global_allocator]
static COUNTER: hostile::Counter = hostile::Counter;
