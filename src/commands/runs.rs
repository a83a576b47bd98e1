//! `tinderbox runs`

use std::path::Path;

use serde_json::{Value, json};
use tinderbox_base::units::{bytes, count, percent, thousands};
use tinderbox_base::{Result, files};
use tinderbox_nn::check;
use tinderbox_train::{Package, locate};

use super::Invocation;
use super::output::{Rows, print, print_json};

/// Lists what has been trained.
///
/// # Errors
/// If stdout cannot be written.
pub fn list(invocation: &Invocation) -> Result<()> {
    let mut rows = Rows::new(&["RUN", "MODEL", ">CLASSES", ">BEST EPOCH", ">VAL", ">TEST"]);
    let mut objects = Vec::new();
    for folder in files::list(&invocation.folders.models).unwrap_or_default() {
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
        if !folder.is_dir() {
            continue;
        }
        match Package::read(&folder.join("model.safetensors")) {
            Ok(package) => {
                let model = package.spec.as_ref().map_or("-", |spec| spec.name.as_str());
                rows.row([
                    name.to_owned(),
                    model.to_owned(),
                    thousands(package.classes.len() as u64),
                    package.scores["epoch"]
                        .as_u64()
                        .map_or("-".to_owned(), |epoch| epoch.to_string()),
                    top1(&package.scores, "val"),
                    top1(&package.scores, "test"),
                ]);
                objects.push(json!({
                    "run": name, "model": model, "classes": package.classes.len(),
                    "best_epoch": package.scores["epoch"],
                    "val_top1": package.scores["val"]["top1"],
                    "test_top1": package.scores["test"]["top1"],
                }));
            }
            Err(error) => {
                let none = || "-".to_owned();
                rows.row([name.to_owned(), "no model".to_owned(), none(), none(), none(), none()]);
                objects.push(json!({ "run": name, "error": error.to_string() }));
            }
        }
    }
    if invocation.json {
        return print_json(&json!({ "folder": invocation.folders.models, "runs": objects }));
    }
    if objects.is_empty() {
        return print(&format!(
            "no runs in `{}`: `tinderbox train` makes one\n",
            invocation.folders.models.display()
        ));
    }
    print(&rows.text())
}

fn top1(scores: &Value, split: &str) -> String {
    scores[split]["top1"].as_f64().map_or("-".to_owned(), percent)
}

/// Shows one run.
///
/// # Errors
/// If there is no such run or its model cannot be read.
pub fn show(invocation: &Invocation, run: &str) -> Result<()> {
    let file = locate(run, &invocation.folders.models)?;
    let package = Package::read(&file)?;
    let settings =
        file.parent().map(|folder| folder.join("run.toml")).filter(|path| path.is_file());
    let settings = settings.as_deref().map(files::read_text).transpose()?;
    let shapes = package.spec.as_ref().map(check).transpose()?;
    let (parameters, flops) = shapes.map_or((0, 0), |s| (s.parameters(), s.flops()));
    if invocation.json {
        let settings = settings.as_deref().and_then(|text| text.parse::<toml::Table>().ok());
        return print_json(&json!({
            "file": file, "model": package.spec.as_ref().map(|spec| &spec.name),
            "parameters": parameters, "flops": flops, "classes": package.classes,
            "preprocessing": package.preprocessing, "scores": package.scores, "settings": settings,
        }));
    }
    let how = &package.preprocessing;
    let mut text = format!(
        "{}  {}\n{}  {} parameters, {}FLOP an image\n{} classes  {}\ninput  {}x{} pixels, {}\n",
        file.display(),
        bytes(files::size(&file)?),
        package.spec.as_ref().map_or("hand-written", |spec| spec.name.as_str()),
        thousands(parameters),
        count(flops),
        package.classes.len(),
        tinderbox_base::units::list(&package.classes, 12),
        how.width,
        how.height,
        if how.channels == 1 { "grey" } else { "colour" },
    );
    for split in ["val", "test"] {
        if let Some(loss) = package.scores[split]["loss"].as_f64() {
            text += &format!("{split}  top-1 {}  loss {loss:.3}\n", top1(&package.scores, split));
        }
    }
    text += &settings_text(settings.as_deref(), file.parent());
    print(&text)
}

fn settings_text(settings: Option<&str>, folder: Option<&Path>) -> String {
    match (settings, folder) {
        (Some(text), Some(folder)) => format!("\n# {}\n{text}", folder.join("run.toml").display()),
        _ => String::new(),
    }
}
