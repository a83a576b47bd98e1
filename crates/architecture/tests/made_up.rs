//! The checks on made-up workspaces: that each finds what it is for, and nothing else.

use std::path::Path;

use serde_json::json;

use super::{circles, crates, modules, paths};

/// The circles of a crate of these files, the first of which is its root.
fn circles_in(name: &str, files: &[(&str, &str)]) -> Vec<String> {
    let folder = format!("{name}-{}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    for (path, text) in files {
        std::fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        std::fs::write(folder.join(path), text).unwrap();
    }
    let tree = modules::Tree::read("made", &folder.join(files[0].0));
    std::fs::remove_dir_all(&folder).unwrap();
    circles::circles(&tree, &folder)
}

#[test]
fn modules_in_order_make_no_circle() {
    let high = "use crate::{low::{self, deep::Deep}, Own};
        pub struct High<'a>(&'a str, Deep); // low::deep is below
        fn f() { low::g(); super::own(); self::f(); ::std::process::abort(); }";
    let low = r##"mod deep; #[cfg(test)] mod check; pub use deep::Deep; use super::Own;
        //! crate::high
        /// [`crate::high::High`] /* crate::high::f() */
        pub fn g() { let _ = ("crate::high::f()", r#"" crate::high::f()"#, '"', b'\'', "\" crate::high::f()"); }
        #[cfg(not(windows))] fn own(_: Own) {}
        #[cfg(test)] use crate::{high, high::High};
        #[cfg(all(test, unix))] #[allow(dead_code)] impl Own { fn f() { crate::high::f(); } }
        #[test] fn t() -> [u8; 2] { crate::high::f(); [1, 2] }
        #[cfg(test)] mod tests { use super::*; mod inner { use crate::high::High; } }"##;
    let files = [
        ("lib.rs", "mod high; mod low; pub use high::High; pub struct Own; fn own() { low::g() }"),
        ("high.rs", high),
        ("low/mod.rs", low),
        ("low/deep.rs", "use super::g; use crate::Own; pub struct Deep;"),
        ("low/check.rs", "use crate::high::f;"),
    ];
    assert_eq!(circles_in("in-order", &files), [""; 0]);
}

#[test]
fn a_circle_is_found_in_every_way_of_writing_it() {
    let root = "mod a; mod b; pub use b::Thing; use self::a as first;";
    let ways = [
        "use super::b;",
        "use crate::b::Thing as Other;",
        "use {std::fmt, crate::{Own, b::{self as c, Thing}}};",
        "fn f() { g::<{ super::b::N }>() }",
        "pub(crate) fn f(_: &crate::Thing) {}",
        "mod inner { use super::super::Thing; }",
        "use crate as top; fn f() { top::Thing::new(); }",
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let files =
            [("lib.rs", root), ("a.rs", way), ("b.rs", "use super::first::f; pub struct Thing;")];
        let found = circles_in(&format!("way-{number}"), &files);
        let [text] = found.as_slice() else { panic!("{way}: {found:?}") };
        assert!(text.starts_with("made: 2 modules in a circle: "), "{text}");
        assert!(text.contains("\n    a -> b (a.rs uses "), "{text}");
        assert!(text.contains("\n    b -> a (b.rs uses super::first::f)\n"), "{text}");
    }
}

#[test]
fn a_circle_of_folders_is_one_of_their_parents_children() {
    let files = [
        ("lib.rs", "pub mod room;"),
        ("room/mod.rs", "mod one; mod two; mod three;"),
        ("room/one/mod.rs", "mod x;"),
        ("room/one/x.rs", "use crate::room::two::y::Y;"),
        ("room/two/mod.rs", "pub mod y; pub struct Own;"),
        ("room/two/y.rs", "use super::super::three; use super::Own; pub struct Y;"),
        ("room/three.rs", "use super::one;"),
    ];
    let found = circles_in("folders", &files);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("made::room: 3 modules in a circle: "), "{}", found[0]);
    assert!(found[0].contains("\n    one -> two (room/one/x.rs uses crate::room::two::y::Y)\n"));
}

#[test]
fn a_use_of_all_names_is_reported_since_it_hides_edges() {
    let found = circles_in("all", &[("lib.rs", "mod a; use a::*;"), ("a.rs", "use std::fmt::*;")]);
    assert_eq!(found, ["lib.rs: `use a::*` hides what is used: list the names"]);
}

const TABLE: &str = "
| crate | what lives there | uses |
| --- | --- | --- |
| `crates/low` | a, b | - |
| `mid` | | `low` |
| `side` | | low |
| `high` | | mid, side and below |
| root `src/` | | all |

| other | table | here |
";

/// A crate's name and its dependencies, each with its kind.
type Package<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

fn faults(packages: &[Package<'_>]) -> Vec<String> {
    let packages = packages.iter().map(|(name, dependencies)| {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| json!({ "name": name, "kind": kind, "path": "/x" }))
            .chain([json!({ "name": "regex", "kind": null })]);
        json!({ "name": name, "dependencies": dependencies.collect::<Vec<_>>() })
    });
    crates::faults(TABLE, &json!({ "packages": packages.collect::<Vec<_>>() }))
}

#[test]
fn edges_that_the_table_does_not_allow_are_faults() {
    let good = faults(&[
        ("tinderbox-low", &[("tinderbox-low", Some("dev"))]),
        ("tinderbox-mid", &[("tinderbox-low", None), ("tinderbox-side", Some("dev"))]),
        ("tinderbox-side", &[("tinderbox-low", Some("build"))]),
        ("tinderbox-high", &[("tinderbox-side", None), ("tinderbox-low", None)]),
        ("tinderbox", &[("tinderbox-high", None), ("tinderbox-low", None)]),
    ]);
    assert_eq!(good, [""; 0]);
    let bad = faults(&[
        ("tinderbox-low", &[("tinderbox-high", Some("dev"))]),
        ("tinderbox-mid", &[("tinderbox-side", None)]),
        ("tinderbox-side", &[("tinderbox-high", Some("build"))]),
        ("tinderbox-new", &[]),
        ("tinderbox", &[]),
    ]);
    let expected = [
        "no row for the crate `new`",
        "no crate for the row `high`",
        "`low` may not use `high`",
        "`mid` may not use `side`",
        "`side` may not use `high`",
    ];
    assert_eq!(bad, expected);
}

#[test]
fn paths_in_the_repository_are_told_from_others() {
    let text = "# A\n\n## The way of a batch\n\n1. `src/main.rs` -> `src/cli/mod.rs --flag`\n
        2. `docs/x.md`, `folder.rs`\n\n## B\n\n`Cargo.toml`, `run.toml`, `models/.cache`, `crates/*/src`, src/no";
    let all = ["Cargo.toml", "docs/x.md", "src/cli/mod.rs", "src/main.rs"];
    assert_eq!(paths::named(text).into_iter().collect::<Vec<_>>(), all);
    let batch = paths::files_of_a_batch(text);
    assert_eq!(batch.into_iter().collect::<Vec<_>>(), all[2..]);
}
