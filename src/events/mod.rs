//! What can happen in a training, as one enum, and its renderings: bars on a terminal, plain lines
//! elsewhere, JSON lines in `events.jsonl`, nothing.

mod counter;
mod event;
mod reporter;
mod transfer;

pub use counter::Counter;
pub use event::Event;
pub use reporter::{Progress, Reporter, Verbosity};
pub use transfer::Transfer;
