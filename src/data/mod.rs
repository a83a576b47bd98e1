//! From files to batches: catalogue, split, lock, order, decode, augment, collate, loader.
//!
//! Nothing here knows a network or reports an event: the loader returns a batch and what it had to
//! quarantine.

mod augment;
mod cache;
mod catalogue;
mod decode;
mod embedded;
mod groups;
mod inspect;
mod jpeg;
mod loader;
pub mod lock;
mod order;
mod quarantine;
mod resize;
mod similar;
mod sources;
mod split;
mod statistics;
mod together;

pub use cache::Cache;
pub use catalogue::{Dataset, Look, Sample, Source, Split, Store, available, is_there, open};
pub use decode::{IMAGE_EXTENSIONS, Want, decode, load, read_file};
pub use inspect::{Findings, inspect};
pub(crate) use loader::to_input;
pub use loader::{Batch, Loader, Work};
pub use lock::Lock;
pub use order::Order;
pub use quarantine::{BadSample, Samples};
pub use resize::{prepare, thumbnail};
pub use similar::Twins;
pub use sources::folder::images_below;
pub use split::add_missing_splits;
pub use statistics::statistics;
pub use together::{apply_together, keep_together};
