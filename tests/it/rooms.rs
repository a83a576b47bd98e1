//! The rooms of ARCHITECTURE.md: `src/` has no edge that its table does not allow.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// From the table: each room and the rooms that it may use.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    text.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, height, room, _, uses, _] = cells.as_slice() else { return None };
            height.parse::<u32>().ok()?;
            let name = |cell: &str| cell.trim().trim_matches('`').trim_end_matches('/').to_owned();
            Some((name(room), uses.split(',').map(name).filter(|name| !name.is_empty()).collect()))
        })
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The names that follow `start` in the code, up to the first that is no letter.
fn names_after<'a>(code: &'a str, start: &str) -> impl Iterator<Item = &'a str> {
    code.split(start)
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""))
}

/// Every edge from a room to another that a file uses, with the file.
fn edges() -> Vec<(String, String, PathBuf)> {
    let src = root().join("src");
    let mut edges = Vec::new();
    for file in rust_files(&src) {
        let below = file.strip_prefix(&src).unwrap();
        let mut parts = below.iter().map(|part| part.to_string_lossy().into_owned());
        let (Some(room), Some(_)) = (parts.next(), parts.next()) else { continue };
        let text = std::fs::read_to_string(&file).unwrap();
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .fold(String::new(), |code, line| code + line + "\n");
        for used in names_after(&code, "crate::") {
            edges.push((room.clone(), used.to_owned(), file.clone()));
        }
        if code.contains("tinderbox_kernels") {
            edges.push((room.clone(), "kernels".to_owned(), file.clone()));
        }
    }
    edges
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let allowed = allowed();
    assert!(allowed.len() > 10, "the table of ARCHITECTURE.md was not found");
    let edges = edges();
    assert!(edges.len() > 100, "only {} uses found", edges.len());
    for (room, used, file) in edges {
        let file = file.display();
        let uses = allowed
            .get(&room)
            .unwrap_or_else(|| panic!("{file}: the room `{room}` is not in the table"));
        assert!(used == room || uses.contains(&used), "{file}: `{room}` may not use `{used}`");
    }
}

#[test]
fn every_room_of_the_table_is_there() {
    for room in allowed().keys().filter(|room| *room != "kernels") {
        assert!(root().join("src").join(room).is_dir(), "no room `{room}`");
    }
}
