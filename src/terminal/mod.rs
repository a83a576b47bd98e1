//! What a person sees while the program works: bars on a terminal, plain lines elsewhere, JSON lines in
//! `events.jsonl`, nothing.

mod counter;
mod lines;
mod reporter;
mod transfer;
mod verbosity;

pub use counter::Counter;
pub use reporter::Reporter;
pub use transfer::Transfer;
pub use verbosity::Verbosity;
