//! `tinderbox datasets check`

use std::path::PathBuf;

use serde_json::{Value, json};
use tinderbox_base::settings::Spec;
use tinderbox_base::units::{percent, plural, printable, thousands};
use tinderbox_base::{Error, Result, files};
use tinderbox_data as data;
use tinderbox_data::{DataSpec, Dataset, Findings, Sample, Split, inspect, load};
use tinderbox_image::{DecodeSize, thumbnail};
use tinderbox_report as report;
use tinderbox_report::Pair;

use super::Invocation;
use super::output::{Rows, print, print_json};
use crate::terminal::Counter;

/// What is checked, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data set, how its files are read, and the share of them that may fail to decode.
    pub data: DataSpec,
}

/// Examples of each kind that are named; `--verbose` and `--json` name all.
const NAMED: usize = 5;
/// Classes in the table without `--verbose`.
const CLASSES: usize = 20;
/// Pairs in the picture, and the side of each of its images.
const PAIRS: usize = 32;
const SIDE: usize = 160;

/// One thing that was found.
struct Line {
    /// Whether it would spoil a training.
    fails: bool,
    said: String,
    examples: Vec<String>,
}

/// Decodes every sample, says what the data set holds and what would spoil a training, draws the
/// pairs that are most alike, and keeps which samples belong together for later trainings.
///
/// # Errors
/// If the data set cannot be read, or something would spoil a training.
pub fn run(invocation: &Invocation, options: &Options) -> Result<()> {
    options.data.check()?;
    let dataset = data::open(&options.data.dataset, &invocation.folders, &options.data.reading())?;
    let counter = Counter::start(invocation.verbosity, "checking", dataset.len());
    let findings = inspect(&dataset, |done| counter.at(done));
    counter.finish();
    let samples: Vec<&Sample> = dataset.samples().collect();
    let lines = lines(&dataset, &samples, &findings, options.data.max_bad);
    let picture = draw(invocation, &dataset, &samples, &findings)?;
    let kept = data::keep_groups(&invocation.folders, &dataset, &samples, &findings);
    if invocation.json {
        print_json(&object(&dataset, &samples, &findings, picture.as_ref()))?;
    } else {
        print(&text(invocation, &dataset, &findings, &lines))?;
        if let Some(path) = &picture {
            print(&format!("pictures  {}\n", path.display()))?;
        }
        if let Err(error) = kept {
            print(&format!(
                "warning: {error}: later trainings do not know what belongs together\n"
            ))?;
        }
    }
    let fails = lines.iter().filter(|line| line.fails).count();
    if fails == 0 {
        return Ok(());
    }
    Err(Error::input(format!(
        "{} would spoil a training on `{}`",
        plural(fails, "finding", "findings"),
        dataset.name
    ))
    .hint("each line above that begins with `fail` says what; `--json` names every file"))
}

/// A sample as people name it.
fn name(dataset: &Dataset, samples: &[&Sample], index: usize) -> String {
    let sample = samples[index];
    let key = printable(&sample.key);
    match split_of(dataset, index) {
        // The path begins with the split where the folders or files do.
        split if key.starts_with(split.name()) || dataset.single_tree => key.into_owned(),
        split => format!("{}: {key}", split.name()),
    }
}

fn split_of(dataset: &Dataset, index: usize) -> Split {
    let [train, val, _] = Split::ALL.map(|split| dataset.split(split).len());
    match index {
        i if i < train => Split::Train,
        i if i < train + val => Split::Val,
        _ => Split::Test,
    }
}

/// All findings as lines, those that fail first.
fn lines(dataset: &Dataset, samples: &[&Sample], found: &Findings, max_bad: f64) -> Vec<Line> {
    let name = |index: usize| name(dataset, samples, index);
    let pair = |[a, b]: &[usize; 2]| format!("{} and {}", name(*a), name(*b));
    let class = |index: usize| samples[index].label.name(&dataset.classes);
    let share = found.bad.len() as f64 / samples.len().max(1) as f64;
    let mut lines = Vec::new();
    let mut add = |fails: bool, said: String, examples: Vec<String>| {
        lines.push(Line { fails, said, examples });
    };
    add(
        true,
        format!("{} in two splits", plural(found.leaks.len(), "picture is", "pictures are")),
        found.leaks.iter().map(pair).collect(),
    );
    let torn = found.torn_groups.iter();
    add(
        true,
        format!("{} in two splits", plural(torn.len(), "group is", "groups are")),
        torn.map(|(group, members)| format!("`{group}`: {}", pair(&[members[0], members[1]])))
            .collect(),
    );
    let labelled = |index: usize| format!("{} is `{}`", name(index), class(index));
    let conflicts = found.conflicts.iter();
    add(
        true,
        format!("{} two labels", plural(conflicts.len(), "picture has", "pictures have")),
        conflicts.map(|[a, b]| format!("{}, {}", labelled(*a), labelled(*b))).collect(),
    );
    let missing = found.missing();
    add(
        missing.iter().any(|(_, split)| *split == Split::Train),
        format!("{} no images in a split", plural(missing.len(), "class has", "classes have")),
        missing
            .iter()
            .map(|(class, split)| format!("`{}` in {}", dataset.classes[*class], split.name()))
            .collect(),
    );
    add(
        share > max_bad,
        format!(
            "{} of {} not decode ({})",
            thousands(found.bad.len() as u64),
            plural(samples.len(), "image does", "images do"),
            percent(share)
        ),
        found.bad.iter().map(|(index, reason)| format!("{}: {reason}", name(*index))).collect(),
    );
    lines.extend(left_out(dataset));
    lines.extend(repeats(found, name));
    lines.retain(|line| !line.examples.is_empty());
    lines.sort_by_key(|line| !line.fails);
    lines
}

/// What is no sample.
fn left_out(dataset: &Dataset) -> impl Iterator<Item = Line> {
    let count = plural(dataset.empty.len(), "class folder is", "class folders are");
    let empty =
        Line { fails: false, said: format!("{count} empty"), examples: dataset.empty.clone() };
    let others = dataset.left_out.iter().map(|(what, names)| Line {
        fails: false,
        said: format!("{} left out, {what}", thousands(names.len() as u64)),
        examples: names.iter().map(|name| printable(name).into_owned()).collect(),
    });
    std::iter::once(empty).chain(others)
}

/// What is there twice: no fault in itself.
fn repeats(found: &Findings, name: impl Fn(usize) -> String) -> [Line; 2] {
    let copies =
        |copies: &Vec<usize>| copies.iter().map(|&copy| name(copy)).collect::<Vec<_>>().join(" = ");
    let (surplus, pairs) = (found.surplus(), found.near_duplicates.len());
    [
        Line {
            fails: false,
            said: format!(
                "{} of another image",
                plural(surplus, "image is a copy", "images are copies")
            ),
            examples: found.copies.iter().map(copies).collect(),
        },
        Line {
            fails: false,
            said: format!(
                "{} nearly the same",
                plural(pairs, "pair of images is", "pairs of images are")
            ),
            examples: found
                .near_duplicates
                .iter()
                .map(|pair| format!("{} and {}", name(pair.first), name(pair.second)))
                .collect(),
        },
    ]
}

fn text(invocation: &Invocation, dataset: &Dataset, found: &Findings, lines: &[Line]) -> String {
    let all = invocation.verbosity == crate::terminal::Verbosity::Verbose;
    let counts = Split::ALL.map(|split| dataset.split(split).len());
    let mut rows = Rows::new(&["CLASS", ">TRAIN", ">VAL", ">TEST"]);
    let show = |count: usize| if count == 0 { "-".to_owned() } else { thousands(count as u64) };
    let shown = if all { usize::MAX } else { CLASSES };
    for (class, counts) in dataset.classes.iter().zip(&found.counts).take(shown) {
        let [train, val, test] = counts.map(show);
        rows.row([class.clone(), train, val, test]);
    }
    if dataset.classes.len() > shown {
        rows.row([format!("and {} more", dataset.classes.len() - shown)]);
    }
    let [train, val, test] = counts.map(show);
    rows.row(["all".to_owned(), train, val, test]);
    let mut text = rows.text();
    if let (Some(sizes), Some([narrow, wide])) = (found.sizes, found.aspects) {
        let [small, middle, large] = sizes.map(|[height, width]| format!("{width}x{height}"));
        let mixed = format!(
            "{small} to {large}, half of them up to {middle}; width to height {narrow:.2} to {wide:.2}"
        );
        text += &format!("\nsizes     {}\n", if small == large { small } else { mixed });
        let figures = |f: [f64; 3]| f.map(|f| format!("{f:.3}")).join(" ");
        text += &format!(
            "colours   mean {}, deviation {} (red, green, blue)\n",
            figures(found.mean),
            figures(found.std)
        );
    }
    text += "\n";
    if lines.is_empty() {
        text += "ok    nothing found: every image decodes, none is there twice\n";
    }
    for line in lines {
        text += &format!("{}  {}\n", if line.fails { "fail" } else { "warn" }, line.said);
        let shown = if all { usize::MAX } else { NAMED };
        for example in line.examples.iter().take(shown) {
            text += &format!("      {example}\n");
        }
        if line.examples.len() > shown {
            text +=
                &format!("      and {} more\n", thousands((line.examples.len() - shown) as u64));
        }
    }
    text
}

fn object(
    dataset: &Dataset,
    samples: &[&Sample],
    found: &Findings,
    picture: Option<&PathBuf>,
) -> Value {
    let one = |index: usize| {
        json!({
            "path": samples[index].key, "split": split_of(dataset, index).name(),
            "class": samples[index].label.name(&dataset.classes),
        })
    };
    let pairs = |pairs: &[[usize; 2]]| -> Vec<Value> {
        pairs.iter().map(|pair| json!(pair.map(one))).collect()
    };
    let class = |(name, counts): (&String, &[usize; 3])| json!({ "class": name, "train": counts[0], "val": counts[1], "test": counts[2] });
    let bad = |(index, reason): &(usize, String)| {
        let mut sample = one(*index);
        sample["reason"] = reason.as_str().into();
        sample
    };
    json!({
        "dataset": dataset.name, "images": samples.len(),
        "classes": dataset.classes.iter().zip(&found.counts).map(class).collect::<Vec<_>>(),
        "sizes": found.sizes, "aspects": found.aspects, "mean": found.mean, "std": found.std,
        "bad": found.bad.iter().map(bad).collect::<Vec<_>>(),
        "left_out": dataset.left_out,
        "leaks": pairs(&found.leaks),
        "conflicts": pairs(&found.conflicts),
        "torn_groups": found.torn_groups.iter().map(|(group, members)| {
            json!({ "group": group, "samples": members.iter().map(|&i| one(i)).collect::<Vec<_>>() })
        }).collect::<Vec<_>>(),
        "copies": found.copies.iter().map(|copies| {
            copies.iter().map(|&copy| one(copy)).collect::<Vec<_>>()
        }).collect::<Vec<_>>(),
        "twins": found.near_duplicates.iter().map(|pair| json!({
            "samples": [one(pair.first), one(pair.second)], "difference": pair.difference,
        })).collect::<Vec<_>>(),
        "picture": picture,
    })
}

/// Draws the pairs that matter most: leaks, then wrong labels, then near duplicates, the most alike first.
fn draw(
    invocation: &Invocation,
    dataset: &Dataset,
    samples: &[&Sample],
    found: &Findings,
) -> Result<Option<PathBuf>> {
    let mut near_duplicates = found.near_duplicates.clone();
    near_duplicates.sort_by(|a, b| a.difference.total_cmp(&b.difference));
    let leaks = found.leaks.iter().map(|pair| (*pair, "in two splits"));
    let conflicts = found.conflicts.iter().map(|pair| (*pair, "two labels"));
    let near_duplicates = near_duplicates.iter().map(|t| ([t.first, t.second], "nearly the same"));
    let mut chosen: Vec<([usize; 2], &str)> = Vec::new();
    for (pair, why) in leaks.chain(conflicts).chain(near_duplicates) {
        if chosen.len() < PAIRS && chosen.iter().all(|(other, _)| *other != pair) {
            chosen.push((pair, why));
        }
    }
    if chosen.is_empty() {
        return Ok(None);
    }
    let mut pairs = Vec::new();
    for (pair, why) in chosen {
        let both = pair.map(|i| load(samples[i], DecodeSize { channels: 3, least: [SIDE; 2] }));
        if let [Ok(left), Ok(right)] = both {
            let images = [left, right].map(|image| thumbnail(&image, SIDE));
            let names = pair.map(|i| name(dataset, samples, i));
            pairs.push(Pair { images, names, why: why.to_owned() });
        }
    }
    let path = invocation.folders.images.join(format!("{}-check.png", dataset.name));
    files::make_folder(&invocation.folders.images)?;
    files::replace(&path, &report::pairs(&pairs)?)?;
    Ok(Some(path))
}
