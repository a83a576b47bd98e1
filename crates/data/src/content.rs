//! What identifies the bytes of an image.

use std::fmt::Write as _;

use tinderbox_base::digest;

/// The first 16 bytes of BLAKE3.
#[must_use]
pub fn content(bytes: &[u8]) -> [u8; 16] {
    let mut content = [0; 16];
    content.copy_from_slice(&digest(bytes)[..16]);
    content
}

/// A content as it is written.
#[must_use]
pub fn hex(content: [u8; 16]) -> String {
    content.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
