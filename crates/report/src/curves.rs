//! `curves.png`: how loss, accuracy and learning rate went from epoch to epoch.

use std::fmt::Write as _;

use tinderbox_base::Result;
use tinderbox_base::units::{percent, plural};

use crate::canvas::{Area, BLUE, HAIR, INK, MARGIN, SOFT, Scene, Type, VERMILION};
use crate::fonts::Fonts;

/// What one epoch came to. A value that is not finite is left out of the curves.
#[derive(Clone, Copy, Debug)]
pub struct EpochPoint {
    /// The number of the epoch, from 1.
    pub epoch: u32,
    /// Mean loss of the training images, in nats.
    pub train_loss: f64,
    /// Mean loss of the validation images, in nats.
    pub val_loss: f64,
    /// Share of the training images classified correctly, 0 to 1, where it was measured.
    pub train_top1: Option<f64>,
    /// Share of the validation images classified correctly, 0 to 1.
    pub val_top1: f64,
    /// The learning rate at the end of the epoch.
    pub lr: f64,
}

/// `curves.png`: loss, accuracy and learning rate by epoch, the best epoch marked.
///
/// # Errors
/// If there is no memory for the picture.
pub fn curves(history: &[EpochPoint]) -> Result<Vec<u8>> {
    let fonts = Fonts::covering([])?;
    scene(history, &fonts).png()
}

/// The same picture as an SVG document.
///
/// # Errors
/// If the fonts cannot be read.
pub fn curves_svg(history: &[EpochPoint]) -> Result<String> {
    let fonts = Fonts::covering([])?;
    Ok(scene(history, &fonts).svg())
}

/// One line of a panel.
struct Series {
    name: &'static str,
    color: &'static str,
    dash: &'static str,
    points: Vec<(f64, f64)>,
}

/// How the values of a panel are written and scaled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Loss,
    Share,
    Rate,
}

fn scene<'a>(history: &[EpochPoint], fonts: &'a Fonts) -> Scene<'a> {
    let (panel, gap, height) = (432.0, 40.0, 330.0);
    let mut scene = Scene::new(fonts, 2.0 * MARGIN + 3.0 * panel + 2.0 * gap, height + 180.0);
    let best = best(history);
    let said = match best {
        Some(point) => format!(
            "{}; best: epoch {}, validation top-1 {}",
            plural(history.len(), "epoch", "epochs"),
            point.epoch,
            percent(point.val_top1)
        ),
        None => plural(history.len(), "epoch", "epochs"),
    };
    let top = scene.heading("Training curves", &[&said]) + 30.0;
    let series = |name, value: &dyn Fn(&EpochPoint) -> f64| {
        let (color, dash) = match name {
            "train" => (VERMILION, "7 4"),
            "validation" => (BLUE, "none"),
            _ => (INK, "none"),
        };
        let points = history.iter().map(|point| (f64::from(point.epoch), value(point))).collect();
        Series { name, color, dash, points }
    };
    let panels = [
        (
            Kind::Loss,
            "Loss (nats)",
            vec![series("train", &|p| p.train_loss), series("validation", &|p| p.val_loss)],
        ),
        (
            Kind::Share,
            "Top-1 accuracy",
            vec![
                series("train", &|p| p.train_top1.unwrap_or(f64::NAN)),
                series("validation", &|p| p.val_top1),
            ],
        ),
        (Kind::Rate, "Learning rate", vec![series("", &|p| p.lr)]),
    ];
    let epochs = Axis::epochs(history);
    for (i, (kind, title, series)) in panels.iter().enumerate() {
        let x = MARGIN + i as f32 * (panel + gap);
        let right = if *kind == Kind::Rate { 8.0 } else { 84.0 }; // the names of the lines
        let area = Area { x: x + 52.0, y: top, w: panel - 52.0 - right, h: height };
        scene.text((x, top - 22.0), title, Type::new(14.0, INK));
        let values = Axis::values(*kind, series);
        Panel { area, epochs: &epochs, values }.draw(&mut scene, series, best);
    }
    scene
}

/// The epoch with the highest validation accuracy; of equals, the lower loss, then the first.
fn best(history: &[EpochPoint]) -> Option<&EpochPoint> {
    let loss = |p: &EpochPoint| if p.val_loss.is_nan() { f64::INFINITY } else { p.val_loss };
    history
        .iter()
        .filter(|point| point.val_top1.is_finite())
        .min_by(|a, b| b.val_top1.total_cmp(&a.val_top1).then(loss(a).total_cmp(&loss(b))))
}

/// A scale with round ticks.
struct Axis {
    low: f64,
    high: f64,
    log: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    fn epochs(history: &[EpochPoint]) -> Self {
        let all = || history.iter().map(|point| f64::from(point.epoch));
        let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
        let low = if low.is_finite() { low } else { 0.0 };
        let step = round_step((high - low) / 6.0).max(1.0);
        let mut ticks: Vec<f64> = multiples(low, high, step);
        if ticks.first().is_none_or(|first| first - low > 0.55 * step) {
            ticks.insert(0, low); // 1, 20, 40 ... tells where it starts
        }
        let ticks = ticks.into_iter().map(|tick| (tick, format!("{tick:.0}"))).collect();
        let (low, high) = if high > low { (low, high) } else { (low - 1.0, high + 1.0) };
        Self { low, high, log: false, ticks }
    }

    fn values(kind: Kind, series: &[Series]) -> Self {
        let all = || series.iter().flat_map(|s| &s.points).map(|p| p.1).filter(|v| v.is_finite());
        let (low, high) =
            (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        if low > high {
            return Self { low: 0.0, high: 1.0, log: false, ticks: Vec::new() };
        }
        if kind == Kind::Loss && low > 0.0 && high / low > 100.0 {
            return Self::decades(low, high);
        }
        let low = if kind == Kind::Rate { low.min(0.0) } else { low };
        let spread = if high > low { high - low } else { (high.abs() * 0.2).max(1e-9) };
        let step = round_step(spread / 4.0);
        let mut ends = ((low / step).floor() * step, (high / step).ceil() * step);
        if ends.1 - ends.0 < step * 0.5 {
            ends = (ends.0 - step, ends.1 + step);
        }
        if kind == Kind::Share {
            ends = (ends.0.max(0.0), ends.1.min(1.0));
        }
        let label = |tick: f64| match kind {
            Kind::Rate if tick == 0.0 => "0".to_owned(),
            Kind::Share => format!("{:.*}%", decimals(step * 100.0), tick * 100.0),
            _ if step < 1e-3 && tick != 0.0 => format!("{tick:.1e}"),
            _ => format!("{:.*}", decimals(step), tick),
        };
        let ticks = multiples(ends.0, ends.1, step);
        let ticks = ticks.into_iter().map(|tick| (tick, label(tick))).collect();
        Self { low: ends.0, high: ends.1, log: false, ticks }
    }

    /// A logarithmic scale, for a loss that fell by orders of magnitude.
    fn decades(low: f64, high: f64) -> Self {
        let (from, to) = (low.log10().floor(), high.log10().ceil());
        let step = ((to - from) / 8.0).ceil().max(1.0);
        let tick = |power: f64| (10f64.powf(power), format!("1e{power:.0}"));
        let ticks = multiples(from, to, step).into_iter().map(tick).collect();
        Self { low: 10f64.powf(from), high: 10f64.powf(to), log: true, ticks }
    }

    /// Where a value lies, 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let scale = |v: f64| if self.log { v.log10() } else { v };
        (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
    }
}

/// The next of 1, 2, 5, 10, ... times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    if step <= 0.0 || !step.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * 0.999);
    factor.unwrap_or(10.0) * power
}

fn decimals(step: f64) -> usize {
    [(0.999, 0), (0.0999, 1), (0.00999, 2), (0.000_999, 3)]
        .into_iter()
        .find(|(least, _)| step >= *least)
        .map_or(4, |(_, digits)| digits)
}

/// The multiples of `step` from `low` to `high`: a dozen at most, because the step is chosen so.
#[allow(clippy::cast_possible_truncation)]
fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let (from, to) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    (0..=20).map(|i| from + f64::from(i)).take_while(|i| *i <= to).map(|i| i * step).collect()
}

/// One of the three diagrams.
struct Panel<'a> {
    area: Area,
    epochs: &'a Axis,
    values: Axis,
}

impl Panel<'_> {
    #[allow(clippy::cast_possible_truncation)] // to pixels
    fn at(&self, (epoch, value): (f64, f64)) -> (f32, f32) {
        let Area { x, y, w, h } = self.area;
        let (across, up) = (self.epochs.place(epoch) as f32, self.values.place(value) as f32);
        (x + across * w, y + (1.0 - up) * h)
    }

    fn draw(&self, scene: &mut Scene<'_>, series: &[Series], best: Option<&EpochPoint>) {
        self.axes(scene);
        let Area { x, y, w, h } = self.area;
        if let Some(best) = best {
            let (at, _) = self.at((f64::from(best.epoch), self.values.low));
            scene.line((at, y), (at, y + h), &format!(r#"stroke="{SOFT}" stroke-dasharray="1 3""#));
            let anchored = Type::new(11.0, SOFT);
            let looks = if at - x < 20.0 {
                anchored
            } else if x + w - at < 20.0 {
                anchored.end()
            } else {
                anchored.middle()
            };
            scene.text((at, y - 4.0), "best", looks);
        }
        let mut labels = Vec::new();
        for one in series {
            self.curve(scene, one);
            let shown = one.points.iter().rev().find(|point| point.1.is_finite());
            if let Some(last) = shown {
                labels.push((self.at(*last).1, one));
            }
            let at_best = best.and_then(|best| {
                one.points
                    .iter()
                    .find(|p| (p.0 - f64::from(best.epoch)).abs() < 0.5 && p.1.is_finite())
            });
            if let Some((u, v)) = at_best.map(|point| self.at(*point))
                && one.name == "validation"
            {
                scene.draw(format_args!(
                    r##"<circle cx="{u:.2}" cy="{v:.2}" r="4.5" fill="#fff" stroke="{}" stroke-width="2"/>"##,
                    one.color
                ));
            }
        }
        if labels.is_empty() {
            let look = Type::new(13.0, SOFT).middle();
            scene.text((x + w / 2.0, y + h / 2.0), "nothing to show", look);
        }
        spread(&mut labels, (y, y + h));
        for (at, one) in labels {
            scene.text((x + w + 8.0, at + 4.5), one.name, Type::new(12.0, one.color));
        }
    }

    /// Ticks, their labels and the lines that guide the eye.
    fn axes(&self, scene: &mut Scene<'_>) {
        let Area { x, y, w, h } = self.area;
        let hair = format!(r#"stroke="{HAIR}""#);
        for (tick, label) in &self.values.ticks {
            let (_, v) = self.at((self.epochs.low, *tick));
            scene.line((x, v.round() + 0.5), (x + w, v.round() + 0.5), &hair);
            scene.text((x - 8.0, v + 4.5), label, Type::new(12.0, SOFT).end());
        }
        let soft = format!(r#"stroke="{SOFT}""#);
        let bottom = (y + h).round() + 0.5;
        scene.line((x, bottom), (x + w, bottom), &soft);
        for (tick, label) in &self.epochs.ticks {
            let (u, _) = self.at((*tick, self.values.low));
            scene.line((u, bottom), (u, bottom + 4.0), &soft);
            scene.text((u, bottom + 18.0), label, Type::new(12.0, SOFT).middle());
        }
        scene.text((x + w / 2.0, bottom + 38.0), "epoch", Type::new(12.0, SOFT).middle());
    }

    /// The line, interrupted where values are missing; a lone value is a dot.
    fn curve(&self, scene: &mut Scene<'_>, series: &Series) {
        let mut path = String::new();
        let stride = series.points.len() / 4000 + 1;
        let points: Vec<_> = series.points.iter().step_by(stride).collect();
        for piece in points.split(|point| !point.1.is_finite()) {
            for (i, point) in piece.iter().enumerate() {
                let (u, v) = self.at(**point);
                let command = if i == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{command}{u:.2} {v:.2}"); // to a String: cannot fail
                if piece.len() == 1 {
                    scene.draw(format_args!(
                        r#"<circle cx="{u:.2}" cy="{v:.2}" r="3.5" fill="{}"/>"#,
                        series.color
                    ));
                }
            }
        }
        scene.draw(format_args!(
            r#"<path d="{path}" fill="none" stroke="{}" stroke-width="2" stroke-linejoin="round" stroke-dasharray="{}"/>"#,
            series.color, series.dash
        ));
    }
}

/// Moves two labels apart that would overlap.
fn spread(labels: &mut [(f32, &Series)], (top, bottom): (f32, f32)) {
    if let [a, b] = labels
        && (a.0 - b.0).abs() < 15.0
    {
        let middle = f32::midpoint(a.0, b.0).clamp(top + 8.0, bottom - 8.0);
        let shift = if a.0 <= b.0 { -7.5 } else { 7.5 };
        (a.0, b.0) = (middle + shift, middle - shift);
    }
}
