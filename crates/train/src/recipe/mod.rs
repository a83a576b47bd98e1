//! From settings and the facts of a data set to what is trained and how.

mod batch_size;
mod loaders;
#[allow(clippy::module_inception)] // the type that the others make
mod recipe;
mod resolve;
mod run_spec;
mod settings;
mod splits;
mod task_spec;
mod train_spec;

pub use batch_size::{Machine, Need, check_batch};
pub use loaders::{evaluation_loader, training_loader};
pub use recipe::Recipe;
pub use resolve::{learning, resolve};
pub use run_spec::RunSpec;
pub use settings::Settings;
pub use splits::open_split;
pub use task_spec::{ClassWeights, TaskSpec};
pub use train_spec::TrainSpec;
