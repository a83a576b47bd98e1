//! From files to batches: sources, catalogue, split, lock, order, loader.
//!
//! Nothing here knows a network or reports an event: the loader returns a batch and what it had to
//! quarantine.
#![warn(missing_docs)]

mod archive;
mod cache;
mod catalogue;
pub mod content;
mod dataset;
mod embedded;
mod groups;
mod inspect;
mod labels;
mod load;
mod loader;
pub mod lock;
mod look;
mod near_duplicates;
mod order;
mod quarantine;
mod reading;
mod sources;
mod spec;
mod split;
mod statistics;
mod stored_groups;

pub use cache::{Cache, CacheKind};
pub use catalogue::{available, is_there, open};
pub use dataset::{Dataset, LeftOut, Sample, Source, Split, Store};
pub use embedded::EMBEDDED;
pub use inspect::{Findings, inspect};
pub use labels::{Label, Labels};
pub use load::load;
pub use loader::{Batch, Loader, LoaderSpec};
pub use lock::Lock;
pub use look::{Look, look};
pub use near_duplicates::NearDuplicates;
pub use order::Order;
pub use quarantine::{BadSample, Samples};
pub use reading::{Format, Reading};
pub use sources::folder::images_below;
pub use spec::DataSpec;
pub use split::add_missing_splits;
pub use statistics::statistics;
pub use stored_groups::{apply_stored_groups, keep_groups};
