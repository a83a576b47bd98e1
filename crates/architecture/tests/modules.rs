//! The modules of a crate, and what a path in one of them names.

use std::path::{Path, PathBuf};

use super::words::{block, without_tests, words};

/// A path in the code. In `use a::{b as c}` it is `a::b` and brings in the name `c`; for `use a::*`
/// the name is `*`; outside `use` it is empty.
pub struct Use {
    pub path: Vec<String>,
    pub name: String,
}

pub struct Module {
    pub name: String,
    pub file: PathBuf,
    pub uses: Vec<Use>,
    parent: Option<usize>,
}

/// What a path names.
#[derive(Clone, Copy)]
pub enum Named {
    Module(usize),
    /// An item of this module.
    Item(usize),
}

pub struct Tree {
    /// The first is the root of the crate.
    pub modules: Vec<Module>,
}

impl Tree {
    /// Reads the crate whose root is `file`, without its tests.
    pub fn read(name: &str, file: &Path) -> Tree {
        let mut tree = Tree { modules: Vec::new() };
        tree.add_file(name, None, file, file.parent().unwrap());
        tree
    }

    /// Adds the module in `file`, whose children lie in `folder`.
    fn add_file(&mut self, name: &str, parent: Option<usize>, file: &Path, folder: &Path) {
        let text = std::fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let module = Module { name: name.into(), file: file.into(), uses: Vec::new(), parent };
        self.add(module, folder, &without_tests(&words(&text)));
    }

    fn add(&mut self, module: Module, folder: &Path, words: &[&str]) {
        let number = self.modules.len();
        let parent = Some(number);
        let file = module.file.clone();
        self.modules.push(module);
        let mut at = 0;
        while let [_, after @ ..] = &words[at..] {
            at += match &words[at..] {
                ["mod", name, ";", ..] => {
                    let below = folder.join(name);
                    let files = [below.with_extension("rs"), below.join("mod.rs")];
                    let file = files.iter().find(|file| file.is_file()).unwrap_or(&files[0]);
                    self.add_file(name, parent, file, &below);
                    3
                }
                ["mod", name, "{", inside @ ..] => {
                    let length = block(&words[at + 2..]);
                    let (name, file) = ((*name).to_owned(), file.clone());
                    let below = folder.join(&name);
                    let module = Module { name, file, uses: Vec::new(), parent };
                    self.add(module, &below, &inside[..length - 2]);
                    2 + length
                }
                ["use", next, ..] if *next != "<" => {
                    1 + read_use(after, &[], &mut self.modules[number].uses)
                }
                rest => read_path(rest, &mut self.modules[number].uses),
            };
        }
    }

    /// The modules on the way from the root to one.
    fn way_down(&self, module: usize) -> Vec<usize> {
        let up = std::iter::successors(Some(module), |&module| self.modules[module].parent);
        let mut way: Vec<usize> = up.collect();
        way.reverse();
        way
    }

    /// The name of a module with those above it.
    pub fn full_name(&self, module: usize) -> String {
        let names = self.way_down(module).into_iter().map(|part| self.modules[part].name.as_str());
        names.collect::<Vec<_>>().join("::")
    }

    /// A use of `to` in `from` as an edge between siblings: their parent and its two children. None if
    /// one of the modules is above the other.
    pub fn lift(&self, from: usize, to: usize) -> Option<(usize, usize, usize)> {
        let (from, to) = (self.way_down(from), self.way_down(to));
        let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
        Some((from[common - 1], *from.get(common)?, *to.get(common)?))
    }

    /// What `path` names in a module. None if it leaves the crate or is a local name.
    pub fn resolve(&self, module: usize, path: &[String]) -> Option<Named> {
        self.resolve_within(module, path, 16)
    }

    /// `limit` ends names that stand for each other.
    fn resolve_within(&self, module: usize, path: &[String], limit: usize) -> Option<Named> {
        let step = |at: usize, name: &str| match name {
            "crate" => Some(Named::Module(0)),
            "self" => Some(Named::Module(at)),
            "super" => self.modules[at].parent.map(Named::Module),
            name => self.named(at, name, limit),
        };
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(step(module, first)?, |at, name| match at {
            Named::Module(at) => Some(step(at, name).unwrap_or(Named::Item(at))),
            item @ Named::Item(_) => Some(item),
        })
    }

    /// A child of a module, or what its `use` brings in, where that is defined. None for its own items.
    fn named(&self, module: usize, name: &str, limit: usize) -> Option<Named> {
        let limit = limit.checked_sub(1)?;
        let is_child = |other: &Module| other.parent == Some(module) && other.name == name;
        if let Some(child) = self.modules.iter().position(is_child) {
            return Some(Named::Module(child));
        }
        let mut brought = self.modules[module].uses.iter().filter(|entry| entry.name == name);
        brought.find_map(|entry| self.resolve_within(module, &entry.path, limit))
    }
}

/// Takes in one branch of a `use`, up to its comma or end, and returns its length.
fn read_use(words: &[&str], above: &[String], uses: &mut Vec<Use>) -> usize {
    let mut path = above.to_vec();
    let mut name = None;
    let mut at = 0;
    loop {
        match words[at] {
            ";" | "," | "}" => break,
            "{" => {
                at += 1;
                while words[at] != "}" {
                    at += read_use(&words[at..], &path, uses);
                    at += usize::from(words[at] == ",");
                }
                return at + 1;
            }
            "as" => name = Some(words[at + 1]),
            "*" => name = Some("*"),
            "self" if !path.is_empty() => {}
            word if is_name(word) && name.is_none() => path.push(word.to_owned()),
            _ => {}
        }
        at += 1;
    }
    let name = name.or(path.last().map(String::as_str)).unwrap_or("").to_owned();
    uses.push(Use { path, name });
    at
}

/// Takes in the path that `words` may begin with, and returns its length.
fn read_path(words: &[&str], uses: &mut Vec<Use>) -> usize {
    match words {
        ["::", next, ..] if is_name(next) => 2, // of another crate, or after `>`
        [first, rest @ ..] if is_name(first) => {
            let more = rest.chunks_exact(2);
            let more = more.take_while(|pair| pair[0] == "::" && is_name(pair[1])).count();
            if more > 0 {
                let path = words[..=2 * more].iter().step_by(2).map(|&name| name.to_owned());
                uses.push(Use { path: path.collect(), name: String::new() });
            }
            1 + 2 * more
        }
        _ => 1,
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}
