//! How much is said.

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// What a person wants to follow.
    #[default]
    Normal,
    /// Also where every setting came from.
    Verbose,
}
