//! A training goes on from a checkpoint of format 1, and ends where the program of then ends.
//!
//! A real checkpoint is tens of megabytes. `fixtures/1/resume/` therefore holds only what cannot be
//! computed: the metadata of real checkpoints, the names and shapes of their tensors, and figures
//! of what the program of then made of them. The values are a formula ([`fixture::value`]). A program of
//! then writes the folder: `scripts/make/format-1-fixtures OLD`.
//!
//! `TINDERBOX_FORMAT_1_EXACT=1` compares every bit, which holds on the type of CPU that wrote the
//! fixtures (AVX2) alone.

mod fixture;
mod sealed;

use std::path::{Path, PathBuf};
use std::process::Command;

use self::fixture::{Figures, Fixture, counters, folder};
use self::sealed::{File, Tensor, read, write};
use crate::draw::idx_folder;
use crate::lab::Lab;

/// A run of format 1 that goes on.
struct Case {
    name: &'static str,
    /// How the program of then began it, up to which step.
    train: &'static str,
    /// How it goes on.
    resume: &'static str,
    /// What the model's values are multiplied by.
    scale: f64,
}

const LENET: &str =
    "--model lenet --size 20 --batch 8 --epochs 9 --on-nan rollback --clip 5 --stop-after 16";
const LENET_GOES_ON: &str = "--stop-after 19";

/// Seven steps are an epoch. Each kind of tensor is in one of them: moments of Adam and of sgd, of
/// convolutions, dense layers and norms, the best model, the point to go back to.
const CASES: [Case; 4] = [
    Case {
        name: "resnet18",
        train: "--model resnet18 --optimizer sgd --size 32 --batch 8 --epochs 2 --stop-after 2",
        resume: "--stop-after 4",
        scale: 1.0,
    },
    Case {
        name: "mobilenet_v2",
        train: "--model mobilenet_v2 --size 32 --batch 8 --epochs 2 --stop-after 9",
        resume: "--stop-after 12",
        scale: 1.0,
    },
    Case { name: "lenet", train: LENET, resume: LENET_GOES_ON, scale: 1.0 },
    // The first loss is not a number: the training goes back, and on from there.
    Case { name: "lenet-exploded", train: LENET, resume: LENET_GOES_ON, scale: 1e25 },
];

fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).unwrap()
}

/// A lab with the data and the run of a case, whose checkpoint is `file`.
fn lab(case: &Case, file: &File) -> Lab {
    let lab = Lab::new();
    idx_folder(&lab, "bands");
    let name = case.name;
    lab.write(format!("models/{name}/checkpoint.safetensors"), write(file));
    for (from, to) in
        [(format!("{name}.toml"), "run.toml"), ("dataset.lock".into(), "dataset.lock")]
    {
        lab.write(format!("models/{name}/{to}"), std::fs::read(folder().join(from)).unwrap());
    }
    lab
}

/// Goes on from the file and says what is not as the program of then left it.
fn resume(case: &Case, fixture: &Fixture, file: &File) -> Vec<String> {
    let lab = lab(case, file);
    let answer = lab.run(&format!("train --resume {} {} --threads 1", case.name, case.resume));
    if answer.code != 0 {
        return vec![answer.stderr];
    }
    assert!(!answer.stderr.contains("not exact"), "{}", answer.stderr);
    let exact = std::env::var_os("TINDERBOX_FORMAT_1_EXACT").is_some();
    let kept = |file: &str| format!("models/{}/{file}.safetensors", case.name);
    let checkpoint = read(&lab.read(kept("checkpoint")));
    let mut wrong = fixture.differences(&checkpoint, exact);
    // Before the first epoch ends there is no model.
    let has_model = lab.exists(&kept("model"));
    let model = if has_model { read(&lab.read(kept("model"))).tensors } else { Vec::new() };
    assert_eq!(has_model, checkpoint.tensors.iter().any(|tensor| tensor.name.starts_with("best.")));
    for tensor in model {
        let name = format!("best.{}", tensor.name);
        let best = checkpoint.tensors.iter().find(|best| best.name == name).unwrap();
        if best.values != tensor.values {
            wrong.push(format!("`{}` of the model is not the checkpoint's `{name}`", tensor.name));
        }
    }
    wrong
}

fn goes_on(name: &str) {
    let fixture = Fixture::read(name);
    let wrong = resume(case(name), &fixture, &fixture.checkpoint(case(name).scale));
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn resnet18_goes_on_from_format_1() {
    goes_on("resnet18");
}

#[test]
fn mobilenet_v2_goes_on_from_format_1() {
    goes_on("mobilenet_v2");
}

#[test]
fn lenet_goes_on_from_format_1_and_keeps_the_point_to_go_back_to() {
    goes_on("lenet");
}

#[test]
fn a_training_of_format_1_that_explodes_goes_back() {
    goes_on("lenet-exploded");
}

/// The proof that the tests above can fail.
#[test]
fn a_moment_of_format_1_in_a_wrong_place_is_noticed() {
    let (case, fixture) = (case("mobilenet_v2"), Fixture::read("mobilenet_v2"));
    let whole = fixture.checkpoint(1.0);
    let at = |name: &str| whole.tensors.iter().position(|tensor| tensor.name == name).unwrap();
    // The weight and the bias of the first norm; the first and the second moment of its weight.
    for [a, b] in [
        [1, 2].map(|i| format!("optimizer.{i}.first")),
        ["first", "second"].map(|part| format!("optimizer.1.{part}")),
    ] {
        let mut file = whole.clone();
        let [a, b] = [at(&a), at(&b)];
        assert_eq!(file.tensors[a].shape, file.tensors[b].shape);
        let values =
            std::mem::replace(&mut file.tensors[a].values, whole.tensors[b].values.clone());
        file.tensors[b].values = values;
        assert!(
            !resume(case, &fixture, &file).is_empty(),
            "{} and {}",
            whole.tensors[a].name,
            whole.tensors[b].name
        );
    }
}

#[test]
fn a_transposed_moment_of_format_1_is_noticed() {
    let (case, fixture) = (case("lenet"), Fixture::read("lenet"));
    let whole = fixture.checkpoint(1.0);
    let weight = whole.tensors.iter().find(|tensor| tensor.name == "model.fc2.weight").unwrap();
    let (rows, columns) = (weight.shape[0], weight.shape[1]);
    let count = rows * columns;
    let mut file = whole.clone();
    let moment = |tensor: &&mut Tensor| {
        tensor.name.split('.').next_back() == Some("first") && tensor.values.len() == count
    };
    let moment = file.tensors.iter_mut().find(moment).unwrap();
    moment.values = (0..count).map(|i| moment.values[i % rows * columns + i / rows]).collect();
    assert!(!resume(case, &fixture, &file).is_empty());
}

/// Runs the program of then.
fn then(program: &Path, lab: &Lab, line: &str) {
    let mut command = Command::new(program);
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TINDERBOX_"))
    {
        command.env_remove(name);
    }
    let output = command.args(line.split_whitespace()).current_dir(lab.path("")).output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// A fixture without figures: the run of a case, begun by the program of then.
fn begin(program: &Path, case: &Case) -> (Lab, Fixture) {
    let (name, lab) = (case.name, Lab::new());
    idx_folder(&lab, "bands");
    then(program, &lab, &format!("train bands --name {name} {}", case.train));
    let bytes = lab.read(format!("models/{name}/checkpoint.safetensors"));
    let File { metadata, tensors } = read(&bytes);
    let nothing = || Figures::of(&[]);
    let known = tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone(), nothing()));
    let fixture =
        Fixture { metadata: metadata.clone(), tensors: known.collect(), ..Fixture::default() };
    let again = write(&File { metadata, tensors });
    assert!(again == bytes, "{name}: `sealed` writes another file than the program");
    (lab, fixture)
}

/// Whether a tensor is carried from one checkpoint to the next, as long as no epoch ends.
fn is_carried(name: &str) -> bool {
    name.starts_with("best.") || name.starts_with("good.")
}

/// The file with one set of running statistics for all of its models. Some programs of format 1
/// gave all of them those of the last model in the file; what they computed then is right.
fn with_equal_statistics(mut file: File) -> File {
    let own = file.clone();
    for tensor in file.tensors.iter_mut().filter(|tensor| is_carried(&tensor.name)) {
        let (_, name) = tensor.name.split_once('.').unwrap();
        let name = format!("model.{}", name.trim_start_matches("model."));
        if let Some(same) = own.tensors.iter().find(|other| other.name == name)
            && name.contains(".running_")
        {
            tensor.values.clone_from(&same.values);
        }
    }
    file
}

/// `scripts/make/format-1-fixtures` runs this.
#[test]
#[ignore = "writes the fixtures, with a program of format 1"]
fn make_the_fixtures() {
    let program = PathBuf::from(std::env::var_os("TINDERBOX_FORMAT_1_PROGRAM").unwrap());
    std::fs::create_dir_all(folder()).unwrap();
    for case in &CASES {
        let (lab, mut fixture) = begin(&program, case);
        let name = case.name;
        let run = |file: &str| format!("models/{name}/{file}");
        for (from, to) in
            [("run.toml", format!("{name}.toml")), ("dataset.lock", "dataset.lock".to_owned())]
        {
            std::fs::write(folder().join(to), lab.read(run(from))).unwrap();
        }
        let whole = fixture.checkpoint(case.scale);
        let before = with_equal_statistics(whole.clone());
        lab.write(run("checkpoint.safetensors"), write(&before));
        then(&program, &lab, &format!("train --resume {name} {}", case.resume));
        let after = read(&lab.read(run("checkpoint.safetensors")));
        fixture.after = counters(&after);
        assert_eq!(after.tensors.len(), fixture.tensors.len(), "{name}");
        for (i, (name, _, figures)) in fixture.tensors.iter_mut().enumerate() {
            let [before, after] = [&before, &after].map(|file| &file.tensors[i]);
            assert_eq!((&*name, &*name), (&before.name, &after.name));
            let is_carried = is_carried(name);
            assert!(!is_carried || before.values == after.values, "`{name}` changes");
            let values = if is_carried { &whole.tensors[i].values } else { &after.values };
            *figures = Figures::of(values);
        }
        std::fs::write(folder().join(format!("{name}.tsv")), fixture.text()).unwrap();
    }
}
