//! Where and how a training runs, and what it is called. None of it changes what is learned, except
//! for the kernels, which change last bits.

use tinderbox_base::settings::Interval;
use tinderbox_base::{Error, Result, env, settings};
use tinderbox_nn::Kernels;

settings! {
    /// The settings of a run.
    pub struct RunSpec {
        /// Name of the run
        #[setting(kind = Checked(check_name), value = "NAME", heading = Run, effect = NoResult,
            open = "<dataset>-<model>-NNN")]
        pub name: Option<String> = None,

        /// Replace a run of the same name
        #[setting(kind = Switch, heading = Run, effect = NoResult)]
        pub overwrite: bool = false,

        /// Save a checkpoint and stop after this step; `--resume` continues from there
        #[setting(kind = Whole { least: 1, most: 1 << 40 }, value = "STEP", heading = Run,
            effect = NoResult, open = "the last step")]
        pub stop_after: Option<usize> = None,

        /// Steps or time (30s, 5m) between checkpoints; auto saves after every epoch and every 5m
        #[setting(kind = Text, value = "STEPS|TIME", heading = Run, effect = NoResult)]
        pub checkpoint_every: Interval = Interval::Auto,

        /// Compute device: auto, cpu, gpu, gpu:N or ndarray
        #[setting(kind = Text, value = "DEVICE", heading = Run, effect = NoResult)]
        pub device: String = "auto".to_owned(),

        /// CPU kernels: the program's own (on), those without Winograd convolutions (direct), or
        /// burn's operators (off); use direct and off to compare if a result looks wrong
        #[setting(kind = Choice(&Kernels::NAMES), value = "WHICH", heading = Run, effect = Result)]
        pub kernels: Kernels = Kernels::On,

        /// On a device other than the CPU, repeat every STEPS-th step on the CPU and compare; 0
        /// compares the first step only
        #[setting(kind = Whole { least: 0, most: usize::MAX }, value = "STEPS", heading = Run,
            effect = NoResult)]
        pub audit_every: usize = 0,

        /// Compute threads
        #[setting(kind = Whole { least: 1, most: 1024 }, value = "N", heading = Run,
            effect = NoResult, open = "one per core")]
        pub threads: Option<usize> = None,
    }
}

impl RunSpec {
    /// Compute threads.
    #[must_use]
    pub fn compute_threads(&self) -> usize {
        self.threads.unwrap_or_else(env::cores)
    }
}

/// A run's name is also a folder's: letters, digits, `.`, `_`, `-` and more, but no way out.
fn check_name(name: &str) -> Result<()> {
    let bad = name.is_empty()
        || name.len() > 200
        || name.starts_with('.')
        || name.chars().any(|c| c.is_control() || "/\\:*?\"<>|".contains(c));
    if bad {
        return Err(Error::usage(format!("`{name}` cannot be a run's name"))
            .hint("use letters, digits, `-`, `_` and `.`, not first a `.`"));
    }
    Ok(())
}
