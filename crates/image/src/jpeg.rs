//! JPEG by libjpeg-turbo: the usual kinds, progressive ones and CMYK, at full size or a half, a
//! quarter or an eighth of it, which costs a fraction of the work. All of its unsafe code is here.

use std::ffi::{CStr, c_int};

use image::metadata::Orientation;
use turbojpeg::raw;

use crate::{DecodeSize, Pixels, grey};

/// A progressive file may pass over the picture this often: cameras and programs write about ten.
const MOST_PASSES: c_int = 100;

/// Megabytes that the decoder may take beside the picture.
const MOST_MEGABYTES: c_int = 512;

/// What the header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Stored rows and columns, before the orientation is applied.
    pub size: [usize; 2],
    pub color: bool,
    pub orientation: Orientation,
}

/// Whether these bytes begin as a JPEG does.
pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

/// One file in the hands of the decoder.
pub(super) struct Jpeg<'a> {
    handle: raw::tjhandle,
    bytes: &'a [u8],
    pub header: Header,
    color_space: raw::TJCS,
}

impl<'a> Jpeg<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// If it is damaged or of a kind that is not supported.
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        // SAFETY: no condition; it answers null where memory is short.
        let handle = unsafe { raw::tj3Init(raw::TJINIT_TJINIT_DECOMPRESS as c_int) };
        if handle.is_null() {
            return Err("there is no memory for the decoder".to_owned());
        }
        let header = Header { size: [0; 2], color: true, orientation: Orientation::NoTransforms };
        let mut jpeg = Self { handle, bytes, header, color_space: raw::TJCS_TJCS_YCbCr };
        jpeg.set(raw::TJPARAM_TJPARAM_SCANLIMIT, MOST_PASSES);
        jpeg.set(raw::TJPARAM_TJPARAM_MAXMEMORY, MOST_MEGABYTES);
        // SAFETY: the handle is alive, and the bytes are as long as is said.
        let status = unsafe { raw::tj3DecompressHeader(handle, bytes.as_ptr(), bytes.len() as _) };
        jpeg.check(status)?;
        let precision = jpeg.get(raw::TJPARAM_TJPARAM_PRECISION);
        if precision > 8 {
            return Err(format!("a JPEG of {precision} bits a channel, not of 8"));
        }
        jpeg.color_space = jpeg.get(raw::TJPARAM_TJPARAM_COLORSPACE) as raw::TJCS;
        jpeg.header = Header {
            size: [raw::TJPARAM_TJPARAM_JPEGHEIGHT, raw::TJPARAM_TJPARAM_JPEGWIDTH]
                .map(|side| jpeg.get(side).max(0) as usize),
            color: jpeg.color_space != raw::TJCS_TJCS_GRAY,
            orientation: orientation(bytes),
        };
        Ok(jpeg)
    }

    /// The pixels as they are stored, at the smallest scale that serves.
    ///
    /// # Errors
    /// If the file is damaged or too large.
    pub fn decode(&self, want: DecodeSize, stored_least: [usize; 2]) -> Result<Pixels, String> {
        let [height, width] = self.header.size;
        // A side that is not whole at a scale is rounded up there: the picture would be stretched.
        let serves =
            |side: usize, by: usize, least: usize| side.is_multiple_of(by) && side / by >= least;
        let by = [8, 4, 2]
            .into_iter()
            .find(|&by| serves(height, by, stored_least[0]) && serves(width, by, stored_least[1]));
        let by = by.unwrap_or(1);
        let (format, bytes_a_pixel) = match self.color_space {
            raw::TJCS_TJCS_CMYK | raw::TJCS_TJCS_YCCK => (raw::TJPF_TJPF_CMYK, 4),
            raw::TJCS_TJCS_GRAY if want.channels == 1 => (raw::TJPF_TJPF_GRAY, 1),
            _ => (raw::TJPF_TJPF_RGB, 3),
        };
        let scale = raw::tjscalingfactor { num: 1, denom: by as c_int };
        // SAFETY: the handle is alive, its header was read.
        self.check(unsafe { raw::tj3SetScalingFactor(self.handle, scale) })?;
        let (height, width) = (height / by, width / by);
        let mut data = vec![0; height * width * bytes_a_pixel];
        // SAFETY: the handle is alive, the bytes are as long as is said, and rows of
        // `width * bytes_a_pixel` bytes, as many as the scaled picture has, fit into `data`.
        let status = unsafe {
            raw::tj3Decompress8(
                self.handle,
                self.bytes.as_ptr(),
                self.bytes.len() as _,
                data.as_mut_ptr(),
                0,
                format as c_int,
            )
        };
        self.check(status)?;
        Ok(match (bytes_a_pixel, want.channels) {
            (4, channels) => from_inks(&data, [height, width], channels),
            (channels, wanted) => Pixels::new(width, height, channels, data).with_channels(wanted),
        })
    }

    fn set(&self, name: raw::TJPARAM, value: c_int) {
        // SAFETY: the handle is alive.
        unsafe { raw::tj3Set(self.handle, name as c_int, value) };
    }

    fn get(&self, name: raw::TJPARAM) -> c_int {
        // SAFETY: the handle is alive.
        unsafe { raw::tj3Get(self.handle, name as c_int) }
    }

    /// An error where there was one. What the decoder only complains of (bytes between two
    /// markers, as some cameras write) is none, as in PIL; that the file ends early is one.
    fn check(&self, status: c_int) -> Result<(), String> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the handle is alive; the text lives in it and ends with a zero.
        let (code, text) = unsafe {
            let text = CStr::from_ptr(raw::tj3GetErrorStr(self.handle));
            (raw::tj3GetErrorCode(self.handle), text.to_string_lossy().into_owned())
        };
        if text.contains("Premature end") {
            return Err(format!("the file ends early, after {} bytes", self.bytes.len()));
        }
        if code == raw::TJERR_TJERR_WARNING as c_int {
            return Ok(());
        }
        let text = text.split_once("(): ").map_or(text.as_str(), |(_, text)| text);
        Err(format!("JPEG: {}", text.trim()))
    }
}

impl Drop for Jpeg<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is alive and not used again.
        unsafe { raw::tj3Destroy(self.handle) };
    }
}

/// Four inks to grey or colour. The values are stored inverted, as Adobe does it and PIL expects
/// it: 255 is no ink.
fn from_inks(data: &[u8], [height, width]: [usize; 2], channels: usize) -> Pixels {
    let product = |a: u8, b: u8| {
        let product = u32::from(a) * u32::from(b) + 128;
        ((product + (product >> 8)) >> 8) as u8
    };
    let rgb = data.chunks_exact(4).map(|ink| {
        let light = |c: u8| ink[3] - product(255 - c, ink[3]);
        [light(ink[0]), light(ink[1]), light(ink[2])]
    });
    let data = if channels == 1 { rgb.map(grey).collect() } else { rgb.flatten().collect() };
    Pixels::new(width, height, channels, data)
}

/// What the EXIF part of a JPEG says of its orientation: the first segment of type APP1 that
/// begins with `Exif`. A damaged one says nothing.
fn orientation(bytes: &[u8]) -> Orientation {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xff, kind, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind == 0xff {
            rest = &rest[1..]; // markers may be preceded by any number of these
            continue;
        }
        let Some(segment) = length.checked_sub(2).and_then(|length| after.get(..length)) else {
            break;
        };
        if let (0xe1, Some(exif)) = (kind, segment.strip_prefix(b"Exif\0\0")) {
            return Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms);
        }
        if *kind == 0xda {
            break;
        }
        rest = &after[segment.len()..];
    }
    Orientation::NoTransforms
}
