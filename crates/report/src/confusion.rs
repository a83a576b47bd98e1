//! `confusion.png`: which class is taken for which.

use std::fmt::Write as _;

use tinderbox_base::Result;
use tinderbox_base::units::{percent, plural, thousands};

use crate::canvas::{Area, HAIR, INK, MARGIN, SOFT, Scene, Type, legend_height};
use crate::fonts::{Fonts, Names};

/// The matrix is about this wide and high, in pixels.
const MATRIX: f32 = 1200.0;
/// More classes than this share cells.
const MOST: usize = 600;
/// Names on the axes are elided to this width.
const NAME: f32 = 170.0;
/// The darkest shades: of the diagonal (blue), of the rest (red-brown).
const DARK: [[f32; 3]; 2] = [[8.0, 69.0, 138.0], [166.0, 54.0, 3.0]];
/// As many shades of each.
const SHADES: usize = 24;

/// `confusion.png`: how often each class was taken for which, in per cent of the images of its
/// true class. `counts` is `[true, predicted]`, row by row, one row for each of `classes`.
///
/// # Errors
/// If there is no memory for the picture.
pub fn confusion(counts: &[u64], classes: &[String]) -> Result<Vec<u8>> {
    #[allow(clippy::redundant_closure_for_method_calls)] // the method alone is not general enough
    with_scene(counts, classes, |scene| scene.png())
}

/// The same picture as an SVG document.
///
/// # Errors
/// If the fonts cannot be read.
pub fn confusion_svg(counts: &[u64], classes: &[String]) -> Result<String> {
    with_scene(counts, classes, |scene| Ok(scene.svg()))
}

/// The counts, several classes to a cell where there are very many.
struct Matrix {
    /// Rows and columns.
    n: usize,
    /// Classes to a row.
    group: usize,
    counts: Vec<u64>,
    totals: Vec<u64>,
    /// Images on the diagonal of the original matrix, by row.
    right: Vec<u64>,
}

impl Matrix {
    fn new(counts: &[u64], classes: usize) -> Self {
        let group = classes.div_ceil(MOST).max(1);
        let n = classes.div_ceil(group);
        let mut matrix =
            Self { n, group, counts: vec![0; n * n], totals: vec![0; n], right: vec![0; n] };
        for (i, &count) in counts.iter().take(classes * classes).enumerate() {
            let (row, column) = (i / classes, i % classes);
            let (r, c) = (row / group, column / group);
            let cell = &mut matrix.counts[r * n + c];
            *cell = cell.saturating_add(count);
            matrix.totals[r] = matrix.totals[r].saturating_add(count);
            if row == column {
                matrix.right[r] = matrix.right[r].saturating_add(count);
            }
        }
        matrix
    }

    fn share(&self, row: usize, column: usize) -> f64 {
        self.counts[row * self.n + column] as f64 / self.totals[row].max(1) as f64
    }
}

/// Where things are.
struct Plan {
    cell: f32,
    /// Size of the names on the axes.
    type_size: f32,
    /// Every how many rows has a name.
    every: usize,
    /// Whether the names below stand upright (most), slanted, or level.
    turn: f32,
    left: f32,
    top: f32,
    side: f32,
    /// Width of the columns to the right of it.
    totals: f32,
}

/// Side of a cell, and every how many rows has a name: 12 pixels are enough for one.
fn pitch(n: usize) -> (f32, usize) {
    let cell = (MATRIX / n.max(1) as f32).floor().clamp(2.0, if n <= 4 { 104.0 } else { 66.0 });
    let steps = [1, 2, 5, 10, 20, 50];
    let every = steps.into_iter().find(|every| *every as f32 * cell >= 12.0).unwrap_or(100);
    (cell, every)
}

fn plan(matrix: &Matrix, fonts: &Fonts, labels: &[String]) -> Plan {
    let (cell, every) = pitch(matrix.n);
    let type_size = if cell >= 18.0 { 13.0 } else { 11.0 };
    let widest =
        |most| labels.iter().map(|l| fonts.width(l, type_size)).fold(0.0, f32::max).min(most);
    let turn = if widest(NAME) < cell - 8.0 {
        0.0
    } else if cell >= 24.0 {
        -40.0
    } else {
        -90.0
    };
    let most = thousands(matrix.totals.iter().copied().max().unwrap_or(0));
    let images = fonts.width(&most, type_size).max(fonts.width("images", 12.0));
    let left = MARGIN + 28.0 + widest(NAME) + 10.0;
    Plan {
        cell,
        type_size,
        every,
        turn,
        left,
        top: 130.0,
        side: cell * matrix.n.max(1) as f32,
        totals: if every > 1 { 0.0 } else { 90.0 + images },
    }
}

fn with_scene<T>(
    counts: &[u64],
    classes: &[String],
    finish: impl FnOnce(&Scene<'_>) -> Result<T>,
) -> Result<T> {
    let matrix = Matrix::new(counts, classes.len());
    // Only names that are drawn need fonts: with very many classes, those of every k-th.
    let stride = pitch(matrix.n).1 * matrix.group;
    let drawn: Vec<usize> = (0..classes.len()).step_by(stride).collect();
    let fonts = Fonts::covering(drawn.iter().map(|class| classes[*class].as_str()))?;
    let names = Names::new(classes, &fonts);
    let labels: Vec<String> = drawn.iter().map(|class| names.label(*class)).collect();
    let plan = plan(&matrix, &fonts, &labels);
    let legend = names.legend(drawn);
    let below = label_depth(&plan, &fonts, &labels);
    let width = (plan.left + plan.side + plan.totals + MARGIN).max(680.0);
    let foot = plan.top + plan.side + below + 46.0;
    let height = foot + legend_height(legend.len(), width) + 12.0;
    let mut scene = Scene::new(&fonts, width, height);
    heading(&mut scene, &matrix, classes.len());
    if matrix.n > 0 {
        cells(&mut scene, &matrix, &plan);
        if plan.cell >= 26.0 {
            numbers(&mut scene, &matrix, &plan);
        }
        axes(&mut scene, &plan, &fonts, &labels, below);
        totals(&mut scene, &matrix, &plan);
    }
    scene.legend(&legend, foot);
    finish(&scene)
}

/// How far the names reach below the matrix.
fn label_depth(plan: &Plan, fonts: &Fonts, labels: &[String]) -> f32 {
    let widest = labels.iter().map(|label| fonts.width(label, plan.type_size)).fold(0.0, f32::max);
    let turned = plan.turn.abs().to_radians();
    10.0 + widest.min(NAME) * turned.sin() + plan.type_size * turned.cos()
}

fn heading(scene: &mut Scene<'_>, matrix: &Matrix, classes: usize) {
    let total = matrix.totals.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
    let right = matrix.right.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
    let images = plural(usize::try_from(total).unwrap_or(usize::MAX), "image", "images");
    let mut said = format!("{images}, {}", plural(classes, "class", "classes"));
    if total > 0 {
        let _ = write!(said, ", {} right", percent(right as f64 / total as f64)); // cannot fail
    }
    let mut how = String::from(
        "a row is a true class, in per cent of its images; blue: right, brown: taken for another",
    );
    if matrix.group > 1 {
        let _ = write!(how, "; {} classes share a row", matrix.group); // cannot fail
    }
    scene.heading("Confusion matrix", &[&said, &how]);
}

/// The shaded squares: one path for each shade.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of a shade
fn cells(scene: &mut Scene<'_>, matrix: &Matrix, plan: &Plan) {
    let gap = if plan.cell >= 12.0 { 1.0 } else { 0.0 };
    let side = plan.cell - gap;
    let least = if gap > 0.0 { 0.0 } else { 0.5 / plan.cell }; // a dot of few pixels must be seen
    let mut paths = vec![String::new(); 2 * (SHADES + 1)];
    for (i, &count) in matrix.counts.iter().enumerate() {
        let (row, column) = (i / matrix.n, i % matrix.n);
        let dark = least + (1.0 - least) * shade(matrix.share(row, column));
        let level = if count == 0 { 0 } else { (dark * SHADES as f32).ceil() as usize };
        if level == 0 && gap == 0.0 {
            continue;
        }
        let x = plan.left + column as f32 * plan.cell;
        let y = plan.top + row as f32 * plan.cell;
        let kind = usize::from(row != column);
        let path = &mut paths[kind * (SHADES + 1) + level.min(SHADES)];
        let _ = write!(path, "M{x:.1} {y:.1}h{side}v{side}h-{side}z"); // cannot fail
    }
    let edge =
        Area { x: plan.left - 1.5, y: plan.top - 1.5, w: plan.side + 2.0, h: plan.side + 2.0 };
    scene.rect(edge, &format!(r#"fill="none" stroke="{HAIR}""#));
    for (i, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let (kind, level) = (i / (SHADES + 1), i % (SHADES + 1));
        let [r, g, b] = color(kind, level as f32 / SHADES as f32);
        scene.draw(format_args!(
            r#"<path d="{path}" fill="rgb({r},{g},{b})" shape-rendering="crispEdges"/>"#
        ));
    }
}

/// How dark a share is drawn, 0 to 1: small shares are lifted, or mistakes could not be seen.
#[allow(clippy::cast_possible_truncation)]
fn shade(share: f64) -> f32 {
    share.clamp(0.0, 1.0).powf(0.6) as f32
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a colour
fn color(kind: usize, level: f32) -> [u8; 3] {
    let paper = [248.0, 249.0, 250.0];
    std::array::from_fn(|i| (paper[i] + (DARK[kind][i] - paper[i]) * level).round() as u8)
}

/// Per cent in every cell that is not empty, with the count below where there is room.
fn numbers(scene: &mut Scene<'_>, matrix: &Matrix, plan: &Plan) {
    let half = plan.cell / 2.0;
    let roomy = plan.cell >= 52.0;
    let size = if roomy { 14.0 } else { 11.0 };
    for (i, &count) in matrix.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (row, column) = (i / matrix.n, i % matrix.n);
        let share = matrix.share(row, column);
        let x = plan.left + column as f32 * plan.cell + half - 0.5;
        let y = plan.top + row as f32 * plan.cell + half;
        let dark = shade(share) > 0.55;
        let ink = if dark { "#fff" } else { INK };
        let text = match share {
            share if share <= 0.005 => "<1".to_owned(),
            share if (0.995..1.0).contains(&share) => ">99".to_owned(),
            share => format!("{:.0}", share * 100.0),
        };
        let shift = if roomy { 0.0 } else { size * 0.36 };
        scene.text((x, y + shift), &text, Type::new(size, ink).middle());
        if roomy && count < 1_000_000 {
            let ink = if dark { "#fff" } else { SOFT };
            scene.text((x, y + 15.0), &thousands(count), Type::new(10.5, ink).middle());
        }
    }
}

/// Names of the rows and of the columns.
fn axes(scene: &mut Scene<'_>, plan: &Plan, fonts: &Fonts, labels: &[String], below: f32) {
    let size = plan.type_size;
    let look = Type::new(size, INK);
    for (i, label) in labels.iter().enumerate() {
        let label = fonts.elide(label, size, NAME);
        let middle = ((i * plan.every) as f32 + 0.5) * plan.cell;
        let y = plan.top + middle + size * 0.36;
        scene.text((plan.left - 10.0, y), &label, look.end());
        let (x, y) = (plan.left + middle, plan.top + plan.side + 8.0);
        let (at, look) = if plan.turn == 0.0 {
            ((x, y + size), look.middle())
        } else if plan.turn < -80.0 {
            ((x + size * 0.36, y), look.end().turned(plan.turn))
        } else {
            ((x + size * 0.5, y + size * 0.6), look.end().turned(plan.turn))
        };
        scene.text(at, &label, look);
    }
    let middle = plan.side / 2.0;
    let look = Type::new(13.0, SOFT).middle();
    let x = MARGIN + 10.0;
    scene.text((x, plan.top + middle), "true class", look.turned(-90.0));
    let y = plan.top + plan.side + below + 28.0;
    scene.text((plan.left + middle, y), "predicted class", look);
}

/// Beside each row: what part of the class was found, and how many images it has.
fn totals(scene: &mut Scene<'_>, matrix: &Matrix, plan: &Plan) {
    if plan.every > 1 {
        return;
    }
    let size = plan.type_size;
    let found = plan.left + plan.side + 62.0;
    let images = plan.left + plan.side + plan.totals;
    let look = Type::new(12.0, SOFT).end();
    scene.text((found, plan.top - 10.0), "right", look);
    scene.text((images, plan.top - 10.0), "images", look);
    for (row, total) in matrix.totals.iter().enumerate() {
        let y = plan.top + (row as f32 + 0.5) * plan.cell + size * 0.36;
        let share = match total {
            0 => "–".to_owned(),
            total => percent(matrix.right[row] as f64 / *total as f64),
        };
        scene.text((found, y), &share, Type::new(size, INK).end());
        scene.text((images, y), &thousands(*total), Type::new(size, SOFT).end());
    }
}
