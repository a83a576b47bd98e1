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

mod data;
mod draw;
mod fetch;
mod lab;
mod models;
mod program;
mod training;

/// Counts what a test holds; see [`program::hostile`].
#[global_allocator]
static COUNTER: program::hostile::Counter = program::hostile::Counter;
