//! An image of any type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tinderbox::image::{Want, decode};
use tinderbox_fuzz::allow_panics_of_libraries;

fuzz_target!(init: allow_panics_of_libraries(), |bytes: &[u8]| {
    for want in [Want::all(3), Want { channels: 1, least: [8, 8] }] {
        match decode(bytes, want) {
            Ok(pixels) => assert!(pixels.width > 0 && pixels.height > 0),
            Err(reason) => assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}"),
        }
    }
});
