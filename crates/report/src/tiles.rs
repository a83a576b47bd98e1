//! The pictures made of photographs: batch, predictions, mistakes, mosaic.

use tinderbox_base::Result;
use tinderbox_base::units::percent;
use tinderbox_image::Pixels;

use crate::Guess;
use crate::fonts::{Fonts, Names, clean};
use crate::sheet::{Line, Sheet, Tile, Verdict, first};

/// `batch.png`: what the network is fed, each image with its class, and where only the part `own` of it
/// is of that class, with that of the image before, of which the rest is. At most 64 are shown.
///
/// # Errors
/// If there is no memory for the picture.
pub fn batch(images: &[Pixels], labels: &[usize], own: f32, classes: &[String]) -> Result<Vec<u8>> {
    let (shown, said) = first(images, "image", "images");
    let fonts = Fonts::covering(names(classes, labels.iter().copied()))?;
    let names = Names::new(classes, &fonts);
    let tile = |(i, pixels): (usize, _)| {
        let name = |i: usize| labels.get(i).map_or("–".to_owned(), |class| names.label(*class));
        let before = i.checked_sub(1).unwrap_or(images.len() - 1);
        let share = |share: f32| if own < 1.0 { percent(f64::from(share)) } else { String::new() };
        let mut lines = vec![Line::new(name(i), share(own))];
        if own < 1.0 {
            lines.push(Line::new(name(before), share(1.0 - own)).soft());
        }
        Tile { pixels, verdict: Verdict::Open, lines }
    };
    Sheet {
        title: "A training batch",
        below: format!("{said} as the network is fed them, after augmentation"),
        tiles: shown.iter().enumerate().map(tile).collect(),
        empty: "No images",
        legend: names.legend(labels.iter().take(shown.len()).copied()),
        columns: None,
    }
    .png(&fonts)
}

/// `predictions.png`: images with the predicted class, its confidence and, where it is another
/// one, the true class. At most 64 are shown.
///
/// # Errors
/// If there is no memory for the picture.
pub fn predictions(guesses: &[Guess], classes: &[String]) -> Result<Vec<u8>> {
    let (shown, said) = first(guesses, "image", "images");
    let any_wrong = shown.iter().any(|guess| verdict(guess) == Verdict::Wrong);
    let score = score(shown);
    let cross = if any_wrong { "; “is …” gives the true class" } else { "" };
    let below = format!("{said}{score}; the predicted class and its confidence{cross}");
    let fonts = Fonts::covering(names(classes, mentioned(shown)))?;
    let names = Names::new(classes, &fonts);
    let mut tiles = Vec::new();
    for guess in shown {
        let mut lines = vec![Line::new(names.label(guess.guess), confidence(guess))];
        match (verdict(guess), guess.truth) {
            (Verdict::Wrong, Some(truth)) => {
                lines.push(Line::new(format!("is {}", names.label(truth)), "").soft());
            }
            (Verdict::Right, _) if any_wrong => lines.push(Line::new("right", "").soft()),
            _ => {}
        }
        tiles.push(Tile { pixels: &guess.pixels, verdict: verdict(guess), lines });
    }
    Sheet {
        title: "Sample predictions",
        below,
        tiles,
        empty: "No predictions",
        legend: names.legend(mentioned(shown)),
        columns: None,
    }
    .png(&fonts)
}

/// `mistakes.png`: the wrong ones among `guesses`, in the order given (highest loss first), with
/// loss, confidence, predicted and true class. At most 64 are shown.
///
/// # Errors
/// If there is no memory for the picture.
pub fn mistakes(guesses: &[Guess], classes: &[String]) -> Result<Vec<u8>> {
    let wrong: Vec<&Guess> =
        guesses.iter().filter(|guess| verdict(guess) == Verdict::Wrong).collect();
    let (shown, said) = first(&wrong, "mistake", "mistakes");
    let mention = || mentioned(shown.iter().copied());
    let fonts = Fonts::covering(names(classes, mention()))?;
    let names = Names::new(classes, &fonts);
    let tile = |guess: &&'_ Guess| {
        let truth = guess.truth.map_or("–".to_owned(), |truth| names.label(truth));
        let loss = if guess.loss.is_finite() { format!("{:.2}", guess.loss) } else { "–".into() };
        vec![
            Line::new(names.label(guess.guess), confidence(guess)),
            Line::new(format!("is {truth}"), format!("loss {loss}")).soft(),
        ]
    };
    let tiles = shown.iter().map(|guess| Tile {
        pixels: &guess.pixels,
        verdict: Verdict::Wrong,
        lines: tile(guess),
    });
    let below = if shown.is_empty() {
        String::new()
    } else {
        format!("{said}; the predicted class and its confidence, what it is, and the loss")
    };
    Sheet {
        title: "Worst mistakes: highest loss first",
        below,
        tiles: tiles.collect(),
        empty: "No mistakes: every image was classified correctly",
        legend: names.legend(mention()),
        columns: None,
    }
    .png(&fonts)
}

/// The annotated contact sheet of `predict --mosaic`: image, file name, class and confidence. At
/// most 64 are shown.
///
/// # Errors
/// If there is no memory for the picture.
pub fn mosaic(guesses: &[Guess], classes: &[String]) -> Result<Vec<u8>> {
    let (shown, said) = first(guesses, "image", "images");
    let files = shown.iter().map(|guess| guess.name.as_str());
    let fonts = Fonts::covering(names(classes, mentioned(shown)).into_iter().chain(files))?;
    let names = Names::new(classes, &fonts);
    let mut legend = names.legend(mentioned(shown));
    let mut tiles = Vec::new();
    for (i, guess) in shown.iter().enumerate() {
        let mut file = clean(&guess.name);
        if !fonts.cover(&file) {
            legend.push(format!("image {} = {}", i + 1, fonts.spell(&file)));
            file = format!("image {}", i + 1);
        }
        let lines = vec![
            Line::new(names.label(guess.guess), confidence(guess)),
            Line::new(file, "").soft().file(),
        ];
        tiles.push(Tile { pixels: &guess.pixels, verdict: verdict(guess), lines });
    }
    Sheet {
        title: "Predictions",
        below: format!("{said}{}; the predicted class and its confidence", score(shown)),
        tiles,
        empty: "No images",
        legend,
        columns: None,
    }
    .png(&fonts)
}

/// `, 44 of 64 right`, where the truth is known.
fn score(guesses: &[Guess]) -> String {
    let known = guesses.iter().filter(|guess| guess.truth.is_some()).count();
    let right = guesses.iter().filter(|guess| verdict(guess) == Verdict::Right).count();
    if known > 0 { format!(", {right} of {known} right") } else { String::new() }
}

fn verdict(guess: &Guess) -> Verdict {
    match guess.truth {
        None => Verdict::Open,
        Some(truth) if truth == guess.guess => Verdict::Right,
        Some(_) => Verdict::Wrong,
    }
}

/// `97.1%`, or a dash where it is not a number.
fn confidence(guess: &Guess) -> String {
    if guess.confidence.is_finite() { percent(f64::from(guess.confidence)) } else { "–".into() }
}

/// The classes that a sheet speaks of.
fn mentioned<'a>(guesses: impl IntoIterator<Item = &'a Guess>) -> Vec<usize> {
    guesses.into_iter().flat_map(|guess| guess.truth.into_iter().chain([guess.guess])).collect()
}

/// The names of some classes.
pub(super) fn names(classes: &[String], shown: impl IntoIterator<Item = usize>) -> Vec<&str> {
    let mut shown: Vec<usize> = shown.into_iter().collect();
    shown.sort_unstable();
    shown.dedup();
    shown.iter().filter_map(|class| classes.get(*class)).map(String::as_str).collect()
}
