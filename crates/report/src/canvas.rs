//! The sheet that everything is drawn on: photographs below, shapes and text (SVG) above.

use std::fmt::{Display, Write as _};

use image::ImageEncoder as _;
use resvg::tiny_skia::{Pixmap, Transform};
use tinderbox_base::{Error, Result};
use tinderbox_image::{Filter, Pixels};

use crate::fonts::{FAMILY, Fonts, escape};

/// Text.
pub(super) const INK: &str = "#1f2933";
/// Text of less weight.
pub(super) const SOFT: &str = "#5b6775";
/// Lines that only guide the eye.
pub(super) const HAIR: &str = "#d9dee5";
/// Right; validation. Blue and vermilion differ for every kind of colour vision (Okabe and Ito).
pub(super) const BLUE: &str = "#0072b2";
/// Wrong; training.
pub(super) const VERMILION: &str = "#d55e00";
/// What shows beside a photograph that does not fill its box.
const BACKING: [u8; 3] = [243, 245, 247];
/// No picture is wider or higher than this, in pixels.
const LARGEST: f32 = 16_000.0;

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) w: f32,
    pub(super) h: f32,
}

/// How a line of text looks and which of its points is placed.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub(super) size: f32,
    pub(super) fill: &'static str,
    /// `start`, `middle` or `end`.
    pub(super) anchor: &'static str,
    /// Degrees, clockwise.
    pub(super) turn: f32,
}

impl Type {
    /// Text of `size` pixels that starts where it is placed.
    pub(super) const fn new(size: f32, fill: &'static str) -> Self {
        Self { size, fill, anchor: "start", turn: 0.0 }
    }

    /// The same, ending where it is placed.
    pub(super) const fn end(self) -> Self {
        Self { anchor: "end", ..self }
    }

    /// The same, centred where it is placed.
    pub(super) const fn middle(self) -> Self {
        Self { anchor: "middle", ..self }
    }

    /// The same, turned about the place.
    pub(super) const fn turned(self, turn: f32) -> Self {
        Self { turn, ..self }
    }
}

/// A picture in the making.
pub(super) struct Scene<'a> {
    fonts: &'a Fonts,
    width: f32,
    height: f32,
    body: String,
    photos: Vec<(&'a Pixels, Area)>,
}

impl<'a> Scene<'a> {
    /// An empty sheet.
    pub(super) fn new(fonts: &'a Fonts, width: f32, height: f32) -> Self {
        let (width, height) = (width.ceil().min(LARGEST), height.ceil().min(LARGEST));
        Self { fonts, width, height, body: String::new(), photos: Vec::new() }
    }

    /// A photograph in the middle of `area`, as large as [`fitted`] says.
    pub(super) fn photo(&mut self, pixels: &'a Pixels, area: Area) {
        self.photos.push((pixels, area));
    }

    /// One SVG element, given as it is written.
    pub(super) fn draw(&mut self, element: impl Display) {
        let _ = writeln!(self.body, "{element}"); // to a String: cannot fail
    }

    /// A rectangle; `style` is SVG attributes.
    pub(super) fn rect(&mut self, Area { x, y, w, h }: Area, style: &str) {
        self.draw(format_args!(
            r#"<rect x="{x:.2}" y="{y:.2}" width="{w:.2}" height="{h:.2}" {style}/>"#
        ));
    }

    /// A straight line; `style` is SVG attributes.
    pub(super) fn line(&mut self, from: (f32, f32), to: (f32, f32), style: &str) {
        let ((x, y), (u, v)) = (from, to);
        self.draw(format_args!(
            r#"<line x1="{x:.2}" y1="{y:.2}" x2="{u:.2}" y2="{v:.2}" {style}/>"#
        ));
    }

    /// One line of text with its baseline at `at`.
    pub(super) fn text(&mut self, at: (f32, f32), text: &str, look: Type) {
        let ((x, y), Type { size, fill, anchor, turn }, text) = (at, look, escape(text));
        let turn = match turn {
            0.0 => String::new(),
            turn => format!(r#" transform="rotate({turn} {x:.2} {y:.2})""#),
        };
        self.draw(format_args!(
            r#"<text x="{x:.2}" y="{y:.2}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"{turn}>{text}</text>"#
        ));
    }

    /// The heading of the sheet, elided to its width; returns where the content may start.
    pub(super) fn heading(&mut self, title: &str, below: &[&str]) -> f32 {
        let width = self.width - 2.0 * MARGIN;
        let mut y = MARGIN + 16.0;
        let title = self.fonts.elide(title, 21.0, width);
        self.text((MARGIN, y), &title, Type::new(21.0, INK));
        for line in below {
            y += 22.0;
            let line = self.fonts.elide(line, 13.0, width);
            self.text((MARGIN, y), &line, Type::new(13.0, SOFT));
        }
        y + 24.0
    }

    /// A check or a cross of about 14 pixels around `at`: different in shape, not only in colour.
    pub(super) fn mark(&mut self, (x, y): (f32, f32), right: bool) {
        let (shape, path) = if right {
            (format!(r#"<circle r="7" fill="{BLUE}"/>"#), "M-3.4 0.2L-1 2.8L3.4 -2.6")
        } else {
            let square = r#"<rect x="-6.5" y="-6.5" width="13" height="13" rx="2""#;
            (format!(r#"{square} fill="{VERMILION}"/>"#), "M-3 -3L3 3M-3 3L3 -3")
        };
        self.draw(format_args!(
            r##"<g transform="translate({x:.2} {y:.2})">{shape}<path d="{path}" fill="none" stroke="#fff" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round"/></g>"##
        ));
    }

    /// What stands for names without a font, in columns from `y` on.
    pub(super) fn legend(&mut self, lines: &[String], y: f32) {
        if lines.is_empty() {
            return;
        }
        let (columns, column) = legend_columns(self.width);
        self.text((MARGIN, y + 13.0), LEGEND_TITLE, Type::new(12.0, SOFT));
        for (i, line) in lines.iter().take(LEGEND_LINES).enumerate() {
            let x = MARGIN + (i % columns) as f32 * column;
            let y = y + 32.0 + (i / columns) as f32 * 18.0;
            let line = if i + 1 == LEGEND_LINES && lines.len() > LEGEND_LINES {
                format!("and {} more", lines.len() + 1 - LEGEND_LINES)
            } else {
                self.fonts.elide(line, 12.0, column - 16.0)
            };
            self.text((x, y), &line, Type::new(12.0, INK));
        }
    }

    /// The shapes and the text as an SVG document, without the photographs.
    pub(super) fn svg(&self) -> String {
        let (w, h, body) = (self.width, self.height, &self.body);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" font-family=\"{FAMILY}, sans-serif\">\n{body}</svg>\n"
        )
    }

    /// The sheet as a PNG file.
    ///
    /// # Errors
    /// If there is no memory for it.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most LARGEST
    pub(super) fn png(&self) -> Result<Vec<u8>> {
        let failed = || Error::failed("cannot draw a picture");
        let (width, height) = (self.width as u32, self.height as u32);
        let mut pixmap = Pixmap::new(width, height).ok_or_else(failed)?;
        pixmap.data_mut().fill(255);
        for (pixels, area) in &self.photos {
            place(&mut pixmap, pixels, *area);
        }
        let tree = self.fonts.parse(&self.svg())?;
        resvg::render(&tree, Transform::identity(), &mut pixmap.as_mut());
        let rgb: Vec<u8> = pixmap.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        let mut png = Vec::new();
        image::codecs::png::PngEncoder::new(&mut png)
            .write_image(&rgb, width, height, image::ExtendedColorType::Rgb8)
            .map_err(|cause| failed().cause(cause))?;
        Ok(png)
    }
}

/// The white border of a sheet.
pub(super) const MARGIN: f32 = 32.0;
const LEGEND_TITLE: &str = "no font here can write these names:";
const LEGEND_LINES: usize = 120;

/// The height that [`Scene::legend`] takes on a sheet of this width.
pub(super) fn legend_height(lines: usize, width: f32) -> f32 {
    let (columns, _) = legend_columns(width);
    match lines.min(LEGEND_LINES) {
        0 => 0.0,
        lines => 32.0 + lines.div_ceil(columns) as f32 * 18.0,
    }
}

/// How many columns, and how wide each.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a handful
fn legend_columns(width: f32) -> (usize, f32) {
    let columns = ((width - 2.0 * MARGIN) / 280.0).floor().max(1.0);
    (columns as usize, (width - 2.0 * MARGIN) / columns)
}

/// The size in pixels at which a picture is shown where `side` is wanted and there is room for
/// `most`: a small one enlarged by a whole factor, so that its pixels stay squares, a large one
/// shrunk.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sides of boxes are small
pub(super) fn fitted(pixels: &Pixels, side: usize, most: usize) -> (usize, usize) {
    let (w, h) = (pixels.width, pixels.height);
    let longest = w.max(h).max(1);
    if longest <= most {
        let factor = ((side as f32 / longest as f32).round() as usize).clamp(1, most / longest);
        return (w * factor, h * factor);
    }
    let shrink = |length: usize| (length * side).div_ceil(longest);
    (shrink(w), shrink(h))
}

/// Draws one photograph into the middle of its area, over a quiet backing.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // coordinates are small
fn place(pixmap: &mut Pixmap, pixels: &Pixels, area: Area) {
    let (left, top) = (area.x as usize, area.y as usize);
    let (across, down) = (area.w as usize, area.h as usize);
    let room = across.min(down);
    let (w, h) = fitted(pixels, room, room);
    let shown = resized(pixels, w, h);
    let (dx, dy) = (across.saturating_sub(w) / 2, down.saturating_sub(h) / 2);
    let stride = pixmap.width() as usize * 4;
    for y in 0..down {
        let from = (top + y) * stride + left * 4;
        let Some(row) = pixmap.data_mut().get_mut(from..from + across * 4) else { break };
        for (x, out) in row.chunks_exact_mut(4).enumerate() {
            let inside = (dx..dx + w).contains(&x) && (dy..dy + h).contains(&y);
            let at = if inside { ((y - dy) * w + x - dx) * 3 } else { usize::MAX - 3 };
            out[..3].copy_from_slice(shown.get(at..at + 3).unwrap_or(&BACKING));
        }
    }
}

/// `[h, w, 3]` bytes: every pixel repeated when it grows, antialiased when it shrinks.
fn resized(pixels: &Pixels, w: usize, h: usize) -> Vec<u8> {
    let rgb = pixels.clone().with_channels(3);
    if (w, h) == (rgb.width, rgb.height) || rgb.data.is_empty() {
        return rgb.data;
    }
    if w >= rgb.width && h >= rgb.height {
        let factor = (w / rgb.width).max(1);
        let pixel = |y: usize, x: usize| {
            let at = (y / factor * rgb.width + x / factor) * 3;
            [rgb.data[at], rgb.data[at + 1], rgb.data[at + 2]]
        };
        return (0..h).flat_map(|y| (0..w).flat_map(move |x| pixel(y, x))).collect();
    }
    rgb.resized(rgb.whole(), [h, w], Filter::Lanczos).data
}
