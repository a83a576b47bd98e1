//! A sheet of photographs in rows and columns, each with its lines of text.

use tinderbox_base::Result;
use tinderbox_base::units::plural;
use tinderbox_image::Pixels;

use crate::canvas::{
    Area, BLUE, HAIR, INK, MARGIN, SOFT, Scene, Type, VERMILION, fitted, legend_height,
};
use crate::fonts::Fonts;

/// No sheet shows more photographs than this.
pub(super) const MOST: usize = 64;
/// Between photographs.
const GAP: f32 = 24.0;
/// A sheet is at most this wide.
const WIDEST: f32 = 1600.0;
/// Without a photograph that is larger, a box is this wide, so that its text has room.
const NARROWEST: usize = 144;
const ROW: f32 = 19.0;
const TEXT: f32 = 13.0;

/// What is known of an answer: it decides the frame and the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing: there is no answer, or no truth to compare it to.
    Open,
    Right,
    Wrong,
}

/// One line below a photograph.
pub(super) struct Line {
    /// Elided to what `right` leaves.
    pub(super) left: String,
    /// Never elided: a number.
    pub(super) right: String,
    /// Whether this line is the lesser one.
    pub(super) soft: bool,
    /// Whether `left` is the name of a file.
    pub(super) file: bool,
}

impl Line {
    pub(super) fn new(left: impl Into<String>, right: impl Into<String>) -> Self {
        Self { left: left.into(), right: right.into(), soft: false, file: false }
    }

    pub(super) fn soft(self) -> Self {
        Self { soft: true, ..self }
    }

    pub(super) fn file(self) -> Self {
        Self { file: true, ..self }
    }
}

/// One photograph and what is said of it.
pub(super) struct Tile<'a> {
    pub(super) pixels: &'a Pixels,
    pub(super) verdict: Verdict,
    pub(super) lines: Vec<Line>,
}

/// What a sheet says and shows.
pub(super) struct Sheet<'a> {
    pub(super) title: &'a str,
    pub(super) below: String,
    pub(super) tiles: Vec<Tile<'a>>,
    /// What it says where there is no tile.
    pub(super) empty: &'a str,
    /// Names that no font can write.
    pub(super) legend: Vec<String>,
    /// How many tiles stand beside each other; what fits where not given.
    pub(super) columns: Option<usize>,
}

impl Sheet<'_> {
    /// The sheet as a PNG file.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub(super) fn png(&self, fonts: &Fonts) -> Result<Vec<u8>> {
        let mut grid = Grid::of(&self.tiles);
        grid.columns = self.columns.unwrap_or(grid.columns);
        let lines = self.tiles.iter().map(|tile| tile.lines.len()).max().unwrap_or(0);
        let pitch = grid.side + 6.0 + lines as f32 * ROW + GAP;
        let wide = grid.columns as f32 * (grid.cell + GAP) - GAP;
        let said = fonts.width(self.title, 21.0).max(fonts.width(&self.below, 13.0)).min(1100.0);
        let width = wide.max(said + 8.0).max(400.0) + 2.0 * MARGIN;
        let rows = self.tiles.len().div_ceil(grid.columns).max(1) as f32;
        let grid_height = if self.tiles.is_empty() { 96.0 } else { rows * pitch };
        let foot = legend_height(self.legend.len(), width);
        let mut scene = Scene::new(fonts, width, 94.0 + grid_height + foot + 16.0);
        let top = scene.heading(self.title, &[&self.below]);
        if self.tiles.is_empty() {
            let look = Type::new(16.0, INK).middle();
            scene.text((width / 2.0, top + 52.0), self.empty, look);
        }
        for (i, tile) in self.tiles.iter().enumerate() {
            let x = MARGIN + (i % grid.columns) as f32 * (grid.cell + GAP);
            let y = top + (i / grid.columns) as f32 * pitch;
            draw(&mut scene, fonts, tile, Area { x, y, w: grid.cell, h: grid.side });
        }
        scene.legend(&self.legend, top + grid_height);
        scene.png()
    }
}

/// The first [`MOST`] of `all`, and how to say so.
pub(super) fn first<'a, T>(all: &'a [T], one: &str, many: &str) -> (&'a [T], String) {
    let said = plural(all.len(), one, many);
    match all.get(..MOST) {
        Some(shown) if all.len() > MOST => (shown, format!("the first {MOST} of {said}")),
        _ => (all, said),
    }
}

/// How the tiles are laid out.
struct Grid {
    columns: usize,
    /// Width of a tile.
    cell: f32,
    /// Height of its photograph.
    side: f32,
}

impl Grid {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a few columns
    fn of(tiles: &[Tile<'_>]) -> Self {
        let n = tiles.len();
        let longest = tiles.iter().map(|tile| tile.pixels.width.max(tile.pixels.height)).max();
        let few_and_large = n <= 24 && longest.unwrap_or(0) > 200;
        let wanted = if few_and_large { 224 } else { 168 };
        // A whole factor may overshoot a little.
        let shown = tiles.iter().map(|tile| fitted(tile.pixels, wanted, wanted + wanted / 5));
        let side = shown.map(|(w, h)| w.max(h)).max().unwrap_or(wanted).max(96);
        let cell = side.max(NARROWEST) as f32;
        let most = ((WIDEST - 2.0 * MARGIN + GAP) / (cell + GAP)) as usize;
        // Between square and twice as wide as high: as few empty places as possible.
        let root = (n as f32).sqrt().ceil() as usize;
        let widest = ((2.0 * n as f32).sqrt().ceil() as usize).clamp(1, most);
        let columns = (root.clamp(1, widest)..=widest)
            .rev()
            .min_by_key(|columns| n.div_ceil(*columns) * columns - n)
            .unwrap_or(1);
        Self { columns: if n <= 4 { n.max(1) } else { columns }, cell, side: side as f32 }
    }
}

fn draw<'a>(scene: &mut Scene<'a>, fonts: &Fonts, tile: &Tile<'a>, area: Area) {
    scene.photo(tile.pixels, area);
    let (edge, style) = match tile.verdict {
        Verdict::Open => (0.5, format!(r#"fill="none" stroke="{HAIR}""#)),
        Verdict::Right => (1.5, format!(r#"fill="none" stroke="{BLUE}" stroke-width="2""#)),
        Verdict::Wrong => (
            2.5,
            format!(r#"fill="none" stroke="{VERMILION}" stroke-width="3" stroke-dasharray="9 5""#),
        ),
    };
    let Area { x, y, w, h } = area;
    scene.rect(Area { x: x - edge, y: y - edge, w: w + 2.0 * edge, h: h + 2.0 * edge }, &style);
    let mut baseline = y + h + 6.0;
    for (i, line) in tile.lines.iter().enumerate() {
        baseline += ROW;
        let look = Type::new(TEXT, if line.soft { SOFT } else { INK });
        let marked = i == 0 && tile.verdict != Verdict::Open;
        if marked {
            scene.mark((x + 7.0, baseline - 4.6), tile.verdict == Verdict::Right);
        }
        let indent = if tile.verdict == Verdict::Open { 0.0 } else { 20.0 };
        let taken = if line.right.is_empty() { 0.0 } else { fonts.width(&line.right, TEXT) + 8.0 };
        let room = w - indent - taken;
        let left = if line.file {
            fonts.elide_path(&line.left, TEXT, room)
        } else {
            fonts.elide(&line.left, TEXT, room)
        };
        scene.text((x + indent, baseline), &left, look);
        if !line.right.is_empty() {
            scene.text((x + w, baseline), &line.right, look.end());
        }
    }
}
