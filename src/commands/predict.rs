//! `tinderbox predict`

use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::json;
use tinderbox_base::settings::Spec;
use tinderbox_base::units::{list, percent, plural};
use tinderbox_base::{Error, Result, files};
use tinderbox_data::images_below;
use tinderbox_image::{DecodeSize, IMAGE_EXTENSIONS, Pixels, decode, read_file, thumbnail};
use tinderbox_nn::threads::with_threads;
use tinderbox_report as report;
use tinderbox_report::Guess;
use tinderbox_train::{Package, Predictor, Ranked, RunSpec, locate};

use super::output::{Rows, print, print_json};
use super::{Invocation, choose};

/// How the answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A table for people.
    Table,
    /// Comma-separated values with a header.
    Csv,
}

/// What is predicted.
#[derive(Clone, Debug)]
pub struct Options {
    /// A run's name, its folder, or a model file.
    pub run: String,
    /// Files, folders, globs; `-` for one image on stdin.
    pub paths: Vec<String>,
    /// Classes named for each image.
    pub top: usize,
    /// How the answers are printed, where not as JSON.
    pub form: Form,
    /// Where an annotated contact sheet goes.
    pub mosaic: Option<PathBuf>,
    /// What computes: its device, kernels and threads.
    pub compute: RunSpec,
}

/// Images decoded and answered at once.
const BATCH: usize = 32;
/// Images on a mosaic.
const MOSAIC: usize = 64;
/// The longer side of an image that waits for the mosaic.
const THUMBNAIL: usize = 256;
const STDIN: &str = "-";

/// One image's answer, or why there is none.
struct Row {
    path: String,
    answer: std::result::Result<Vec<Ranked>, String>,
}

/// Names the classes of images.
///
/// # Errors
/// If the model cannot be used, nothing was found, or an image could not be read: the others are
/// answered before that.
pub fn run(invocation: &Invocation, options: &Options) -> Result<()> {
    if options.top == 0 {
        return Err(Error::usage("`--top 0` is out of range").hint("it must be 1 or more"));
    }
    options.compute.check()?;
    let threads = options.compute.compute_threads();
    let package = Package::read(&locate(&options.run, &invocation.folders.models)?)?;
    let (_, context) = choose(&options.compute.device, options.compute.kernels)?;
    let paths = expand(&options.paths)?;
    let (rows, tiles, classes) = with_threads(threads, || -> Result<_> {
        let predictor = Predictor::new(package, &context)?;
        let (rows, tiles) = answer_all(&predictor, &paths, options.mosaic.is_some())?;
        Ok((rows, tiles, predictor.classes().to_vec()))
    })??;
    if let Some(file) = &options.mosaic {
        files::replace(file, &report::mosaic(&tiles, &classes)?)
            .map_err(|error| error.hint("name a file in a folder that is there and writable"))?;
    }
    let top = options.top.min(classes.len());
    if invocation.json {
        print_rows_json(&rows, &classes, top)?;
    } else if options.form == Form::Csv {
        print(&csv(&rows, &classes, top)?)?;
    } else {
        print(&table(&rows, &classes, top))?;
    }
    let failed = rows.iter().filter(|row| row.answer.is_err()).count();
    if failed > 0 {
        return Err(Error::input(format!(
            "{} not read, {} answered",
            plural(failed, "image was", "images were"),
            rows.len() - failed
        ))
        .hint("the rows say why; `predict` reads PNG, JPEG, WebP, BMP, GIF, TIFF and QOI"));
    }
    Ok(())
}

fn answer_all(
    predictor: &Predictor,
    paths: &[PathBuf],
    keep: bool,
) -> Result<(Vec<Row>, Vec<Guess>)> {
    let (mut rows, mut tiles) = (Vec::new(), Vec::new());
    for chunk in paths.chunks(BATCH) {
        let read: Vec<std::result::Result<(Pixels, Option<Pixels>), String>> = chunk
            .par_iter()
            .map(|path| {
                let picture = read_picture(path, predictor.decode_size())?;
                Ok((predictor.prepare(&picture), keep.then(|| thumbnail(&picture, THUMBNAIL))))
            })
            .collect();
        let prepared: Vec<&Pixels> = read.iter().flatten().map(|(picture, _)| picture).collect();
        let mut ranked =
            if prepared.is_empty() { Vec::new() } else { predictor.rank(&prepared)? }.into_iter();
        for (path, read) in chunk.iter().zip(read) {
            let path = path.display().to_string();
            let answer = read.and_then(|(_, small)| {
                let ranked = ranked.next().ok_or_else(|| "no answer".to_owned())?;
                if let Some(small) = small.filter(|_| tiles.len() < MOSAIC) {
                    tiles.push(tile(small, &path, ranked[0]));
                }
                Ok(ranked)
            });
            rows.push(Row { path, answer });
        }
    }
    Ok((rows, tiles))
}

fn tile(pixels: Pixels, path: &str, first: Ranked) -> Guess {
    let name =
        Path::new(path).file_name().map_or(path.to_owned(), |n| n.to_string_lossy().into_owned());
    Guess {
        pixels,
        truth: None,
        guess: first.class,
        confidence: first.probability as f32,
        loss: 0.0,
        name,
    }
}

fn read_picture(path: &Path, want: DecodeSize) -> std::result::Result<Pixels, String> {
    if path != Path::new(STDIN) {
        return decode(&read_file(path)?, want);
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(256 << 20)
        .read_to_end(&mut bytes)
        .map_err(|cause| files::describe(&cause))?;
    decode(&bytes, want)
}

/// The files that are meant, in the order in which they were named.
fn expand(paths: &[String]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for text in paths {
        let path = Path::new(text);
        if path.is_dir() {
            let images = images_below(path)?;
            if images.is_empty() {
                return Err(Error::input(format!("no images in `{text}`"))
                    .cause(format!("looked for {}", list(IMAGE_EXTENSIONS, 99)))
                    .hint("name a folder that holds images, or the files themselves"));
            }
            found.extend(images);
        } else if path.exists() || text == STDIN || !text.contains(['*', '?', '[']) {
            found.push(path.to_owned()); // a missing file is reported in its row
        } else {
            let matches = glob::glob(text).map_err(|cause| {
                Error::usage(format!("bad pattern `{text}`"))
                    .cause(cause.msg)
                    .hint("patterns know `*`, `**`, `?` and `[abc]`")
            })?;
            let before = found.len();
            found.extend(matches.filter_map(std::result::Result::ok).filter(|path| path.is_file()));
            if found.len() == before {
                return Err(Error::input(format!("no file matches `{text}`")).hint(
                    "quote the pattern so that the shell leaves it alone, and check the folder",
                ));
            }
        }
    }
    Ok(found)
}

fn table(rows: &[Row], classes: &[String], top: usize) -> String {
    let mut table = Rows::new(&["IMAGE", "CLASS", ">", "NEXT"]);
    for Row { path, answer } in rows {
        match answer {
            Ok(ranked) => {
                let name = |r: &Ranked| classes[r.class].clone();
                let next: Vec<String> = ranked[1..top]
                    .iter()
                    .map(|r| format!("{} {}", name(r), percent(r.probability)))
                    .collect();
                table.row([
                    path.clone(),
                    name(&ranked[0]),
                    percent(ranked[0].probability),
                    next.join("  "),
                ]);
            }
            Err(reason) => {
                table.row([
                    path.clone(),
                    format!("not read: {reason}"),
                    String::new(),
                    String::new(),
                ]);
            }
        }
    }
    table.text()
}

fn print_rows_json(rows: &[Row], classes: &[String], top: usize) -> Result<()> {
    for Row { path, answer } in rows {
        print_json(&match answer {
            Ok(ranked) => {
                let named = ranked[..top]
                    .iter()
                    .map(|r| json!({ "class": classes[r.class], "probability": r.probability }));
                json!({ "image": path, "classes": named.collect::<Vec<_>>() })
            }
            Err(reason) => json!({ "image": path, "error": reason }),
        })?;
    }
    Ok(())
}

/// One line for each of an image's `top` classes.
fn csv(rows: &[Row], classes: &[String], top: usize) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = || -> csv::Result<()> {
        writer.write_record(["image", "rank", "class", "probability", "error"])?;
        for Row { path, answer } in rows {
            match answer {
                Ok(ranked) => {
                    for (place, r) in ranked[..top].iter().enumerate() {
                        let (rank, p) = ((place + 1).to_string(), format!("{:.6}", r.probability));
                        writer.write_record([path, &rank, &classes[r.class], &p, ""])?;
                    }
                }
                Err(reason) => writer.write_record([path, "", "", "", reason])?,
            }
        }
        Ok(())
    };
    let failed = |cause: String| Error::failed("cannot write the answers as CSV").cause(cause);
    write().map_err(|cause| failed(cause.to_string()))?;
    let bytes = writer.into_inner().map_err(|cause| failed(cause.to_string()))?;
    String::from_utf8(bytes).map_err(|cause| failed(cause.to_string()))
}
