//! An image of any type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tinderbox::image::{DecodeSize, decode};
use tinderbox_fuzz::allow_panics_of_libraries;

fuzz_target!(init: allow_panics_of_libraries(), |bytes: &[u8]| {
    for want in [DecodeSize::all(3), DecodeSize { channels: 1, least: [8, 8] }] {
        match decode(bytes, want) {
            Ok(pixels) => assert!(pixels.width > 0 && pixels.height > 0),
            Err(reason) => assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}"),
        }
    }
});
