//! Images with the zeros around them, as the windows of a convolution see them.

use crate::conv::ConvShape;

/// Whether an image differs from its padded form.
pub(super) fn is_padded(conv: &ConvShape) -> bool {
    conv.padding != [[0; 2]; 2]
}

/// Writes an image `[h, w, ci]` into its padded form `[padded h, padded w, ci]`.
pub(super) fn pad(conv: &ConvShape, image: &[f32], padded: &mut [f32]) {
    if !is_padded(conv) {
        padded.copy_from_slice(image);
        return;
    }
    let (row, wide) = (conv.input[1] * conv.ci, conv.padded(1) * conv.ci);
    padded.fill(0.0);
    if row > 0 {
        let rows = padded.chunks_exact_mut(wide).skip(conv.padding[0][0]);
        for (from, to) in image.chunks_exact(row).zip(rows) {
            to[conv.padding[1][0] * conv.ci..][..row].copy_from_slice(from);
        }
    }
}

/// Writes the part of a padded image that is the image `[h, w, ci]`.
pub(super) fn crop(conv: &ConvShape, padded: &[f32], image: &mut [f32]) {
    let (row, wide) = (conv.input[1] * conv.ci, conv.padded(1) * conv.ci);
    if row > 0 {
        let rows = padded.chunks_exact(wide).skip(conv.padding[0][0]);
        for (to, from) in image.chunks_exact_mut(row).zip(rows) {
            to.copy_from_slice(&from[conv.padding[1][0] * conv.ci..][..row]);
        }
    }
}
