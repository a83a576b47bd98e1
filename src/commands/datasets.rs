//! `tinderbox datasets`

use serde_json::json;
use tinderbox_base::Result;
use tinderbox_base::units::thousands;
use tinderbox_data::{EMBEDDED, Reading, Split, available, open};

use super::Invocation;
use super::output::{Rows, print, print_json};

/// Lists what can be trained on: the folders in the datasets folder, and the data set inside the
/// program. One that cannot be used is listed with the reason.
///
/// # Errors
/// If stdout cannot be written.
pub fn list(invocation: &Invocation) -> Result<()> {
    let mut names = available(&invocation.folders).unwrap_or_default();
    if !names.iter().any(|name| name == EMBEDDED) {
        names.push(EMBEDDED.to_owned());
    }
    let mut rows = Rows::new(&["DATA SET", ">CLASSES", ">TRAIN", ">VAL", ">TEST", "WHERE"]);
    let mut objects = Vec::new();
    for name in &names {
        match open(name, &invocation.folders, &Reading::default()) {
            Ok(dataset) => {
                let counts = Split::ALL.map(|split| dataset.split(split).len());
                let place = dataset
                    .path
                    .as_ref()
                    .map_or("in the program".to_owned(), |p| p.display().to_string());
                let show = |n: usize| if n == 0 { "-".to_owned() } else { thousands(n as u64) };
                let [train, val, test] = counts.map(show);
                rows.row([name.clone(), show(dataset.classes.len()), train, val, test, place]);
                objects.push(json!({
                    "name": name, "classes": dataset.classes, "path": dataset.path,
                    "train": counts[0], "val": counts[1], "test": counts[2],
                }));
            }
            Err(error) => {
                let none = || "-".to_owned();
                rows.row([name.clone(), none(), none(), none(), none(), error.to_string()]);
                objects
                    .push(json!({ "name": name, "error": error.to_string(), "hint": error.hint }));
            }
        }
    }
    if invocation.json {
        return print_json(&json!({ "folder": invocation.folders.datasets, "datasets": objects }));
    }
    print(&rows.text())
}
