//! Circles between the children of one module.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use super::modules::{Named, Tree};

/// From one sibling to another, with a place in the code.
type Edges = BTreeMap<(usize, usize), String>;

/// Every circle of a crate, as text: the siblings in it, one way around, and an example of each edge;
/// also each `use` of all names of a module, which hides edges. Files are relative to `base`.
pub fn circles(tree: &Tree, base: &Path) -> Vec<String> {
    let mut families: BTreeMap<usize, Edges> = BTreeMap::new();
    let mut found = Vec::new();
    for (module, here) in tree.modules.iter().enumerate() {
        let file = here.file.strip_prefix(base).unwrap_or(&here.file).display();
        for entry in &here.uses {
            let path = entry.path.join("::");
            let to = match tree.resolve(module, &entry.path) {
                Some(Named::Module(_)) if entry.name == "*" => {
                    found.push(format!(
                        "{file}: `use {path}::*` hides what is used: list the names"
                    ));
                    continue;
                }
                Some(Named::Module(to) | Named::Item(to)) => to,
                None => continue,
            };
            if let Some((parent, from, to)) = tree.lift(module, to) {
                let edges = families.entry(parent).or_default();
                edges.entry((from, to)).or_insert_with(|| format!("{file} uses {path}"));
            }
        }
    }
    found.extend(families.iter().flat_map(|(&parent, edges)| circles_of(tree, parent, edges)));
    found
}

fn circles_of(tree: &Tree, parent: usize, edges: &Edges) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    for &(start, _) in edges.keys() {
        if seen.contains(&start) {
            continue;
        }
        let both = |other: usize| way(edges, start, other).and(way(edges, other, start)).is_some();
        let ends: BTreeSet<usize> = edges.keys().map(|&(_, end)| end).collect();
        let members: BTreeSet<usize> = ends.into_iter().filter(|&end| both(end)).collect();
        seen.extend(&members);
        let mut inside = edges.clone();
        inside.retain(|(from, to), _| members.contains(from) && members.contains(to));
        let around = inside.keys().filter_map(|&(from, to)| way(edges, to, from));
        let Some(shortest) = around.min_by_key(Vec::len) else { continue };
        let name = |module: &usize| tree.modules[*module].name.as_str();
        let mut names: Vec<&str> = shortest.iter().map(name).collect();
        names.push(names[0]);
        let (family, size) = (tree.full_name(parent), members.len());
        let mut text = format!("{family}: {size} modules in a circle: {}\n", names.join(" -> "));
        for ((from, to), example) in &inside {
            text += &format!("    {} -> {} ({example})\n", name(from), name(to));
        }
        found.push(text);
    }
    found
}

/// The shortest way along the edges, both ends included.
fn way(edges: &Edges, start: usize, end: usize) -> Option<Vec<usize>> {
    let mut ways = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::from([start]);
    while let Some(way) = ways.pop_front() {
        let last = way[way.len() - 1];
        if last == end {
            return Some(way);
        }
        for &(_, next) in edges.keys().filter(|(from, _)| *from == last) {
            if seen.insert(next) {
                ways.push_back([way.as_slice(), &[next]].concat());
            }
        }
    }
    None
}
