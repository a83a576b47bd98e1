//! When the sparse way is the faster one.

use super::PooledShape;

/// Whether [`super::backward_data`] beats dense kernels.
#[must_use]
pub fn data_wins(shape: &PooledShape) -> bool {
    shape.pool > 1
}

/// Whether [`super::backward_weights`] beats dense kernels.
#[must_use]
pub fn weights_win(shape: &PooledShape) -> bool {
    shape.pool > 1
}
