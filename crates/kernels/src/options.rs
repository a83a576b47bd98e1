//! How a network's layers are computed.

use crate::Isa;

/// What may be used to compute a layer. Functions that choose between several forms of an operation
/// take it; those of a single form take the [`Isa`].
///
/// The same options give the same bits; other options give other last bits, because sums are
/// rounded in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The instruction set.
    pub isa: Isa,
    /// Whether Winograd's form of a convolution may be taken where it is faster. It is less exact
    /// than the direct one: see [`conv::winograd`](crate::conv::winograd).
    pub winograd: bool,
}

impl Options {
    /// The widest instruction set of this CPU, and every form.
    #[must_use]
    pub fn best() -> Self {
        Self { isa: Isa::best(), winograd: true }
    }
}
