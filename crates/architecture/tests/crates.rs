//! The crates of the workspace beside the table of ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

/// Each crate with those that it may use.
type Allowed = BTreeMap<String, BTreeSet<String>>;

/// The table `crate | what lives there | uses`. A cell of uses names crates; with "and below" also
/// all that these may use; "all" is every other crate; a dash is none.
fn table(text: &str) -> Allowed {
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('|').map(str::trim).collect())
        .skip_while(|cells: &Vec<&str>| cells.get(1) != Some(&"crate"))
        .take_while(|cells| cells.len() > 4)
        .skip(2)
        .collect();
    let mut allowed: Allowed = rows
        .iter()
        .map(|cells| {
            let uses = cells[cells.len() - 2].replace(" and ", ", ");
            let uses = uses.split(',').map(short).filter(|name| !matches!(&**name, "" | "-" | "–"));
            (short(cells[1]), uses.collect())
        })
        .collect();
    let direct = allowed.clone();
    for (name, uses) in &mut allowed {
        if uses.remove("below") {
            uses.extend(uses.clone().iter().flat_map(|used| reach(&direct, used)));
        }
        if uses.remove("all") {
            uses.extend(direct.keys().filter(|other| *other != name).cloned());
        }
    }
    allowed
}

/// The name of a crate without folder and prefix; that of the package above all is `root`.
fn short(cell: &str) -> String {
    let name = cell.split('`').nth(1).unwrap_or(cell).trim().trim_end_matches('/');
    let name = name.rsplit('/').next().unwrap_or("");
    match name.strip_prefix("tinderbox-").unwrap_or(name) {
        "tinderbox" | "src" => "root".to_owned(),
        name => name.to_owned(),
    }
}

/// All that a crate may use, over others too.
fn reach(allowed: &Allowed, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        let uses = allowed.get(&name).into_iter().flatten();
        open.extend(uses.filter(|used| found.insert((*used).clone())).cloned());
    }
    found
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

/// What differs between the table in `text` and the workspace that `metadata` describes.
pub fn faults(text: &str, metadata: &Value) -> Vec<String> {
    let allowed = table(text);
    let name_of = |value: &Value| short(value["name"].as_str().unwrap_or(""));
    let crates: BTreeSet<String> = list(metadata, "packages").map(name_of).collect();
    let rows: BTreeSet<String> = allowed.keys().cloned().collect();
    let named: BTreeSet<String> = allowed.values().flatten().cloned().collect();
    let mut faults = Vec::new();
    faults.extend(crates.difference(&rows).map(|name| format!("no row for the crate `{name}`")));
    faults.extend(rows.difference(&crates).map(|name| format!("no crate for the row `{name}`")));
    faults.extend(named.difference(&rows).map(|name| format!("the table uses `{name}`: no row")));
    for package in list(metadata, "packages") {
        let from = name_of(package);
        for dependency in list(package, "dependencies").filter(|entry| entry["path"].is_string()) {
            let to = name_of(dependency);
            // Tests may use more, but nothing above their crate, except the crate itself.
            let is_allowed = if dependency["kind"] == "dev" {
                from == to || !reach(&allowed, &to).contains(&from)
            } else {
                allowed.get(&from).is_some_and(|uses| uses.contains(&to))
            };
            if !is_allowed {
                faults.push(format!("`{from}` may not use `{to}`"));
            }
        }
    }
    faults
}

/// Name and root file of each library and program of the workspace.
pub fn root_files(metadata: &Value) -> Vec<(String, PathBuf)> {
    let targets = list(metadata, "packages").flat_map(|package| list(package, "targets"));
    targets
        .filter(|target| list(target, "kind").any(|kind| kind == "lib" || kind == "bin"))
        .filter_map(|target| {
            Some((target["name"].as_str()?.to_owned(), target["src_path"].as_str()?.into()))
        })
        .collect()
}
