//! Flags, settings and places that cannot be used.

use crate::draw::{colours, trained};
use crate::lab::{Answer, Lab};

fn train(lab: &Lab, rest: &str) -> Answer {
    lab.run(&format!("train colours --threads 1 {rest}"))
}

#[test]
fn numbers_out_of_range_are_told_with_their_range() {
    let lab = colours();
    for (flag, range) in [
        ("--epochs 0", "1 to 1000000"),
        ("--batch 0", "1 to"),
        ("--size 0", "1 to 4096"),
        ("--channels 2", "1 or 3"),
        ("--lr 0", "it must be"),
        ("--lr -1", "it must be"),
        ("--lr nan", "it must be"),
        ("--momentum 1", "0 to"),
        ("--val-fraction 0", "above 0"),
        ("--val-fraction 1", "to 0.9"),
        ("--max-bad 1.5", "0 to 1"),
        ("--loader-threads 0", "1 to 1024"),
        ("--label-smoothing 1", "0 to"),
    ] {
        let name = flag.split(' ').next().unwrap();
        train(&lab, flag).fails(2, &[name, "is out of range"], range);
    }
    assert!(!lab.exists("models"), "a refused run leaves nothing");
}

#[test]
fn zero_threads_are_out_of_range_for_every_verb() {
    let lab = trained();
    for line in ["evaluate base", "predict base datasets/colours/test", "bench", "train colours"] {
        lab.run(&format!("{line} --threads 0")).fails(
            2,
            &["`--threads 0` is out of range"],
            "1 to 1024",
        );
    }
}

#[test]
fn a_bench_larger_than_any_memory_is_refused() {
    let lab = Lab::new();
    lab.run("bench --model resnet18 --size 4096 --batch 65536 --steps 1").fails(2, &["--"], "");
}

#[test]
fn an_unknown_model_is_told_with_the_list_and_the_nearest() {
    let lab = colours();
    let list = "`mlp`, `lenet`, `cnn`, `resnet18`, `mobilenet_v2`";
    train(&lab, "--model resnet-18")
        .fails(2, &["no model `resnet-18`"], "did you mean `resnet18`?")
        .fails_also(list);
    train(&lab, "--model transformer").fails(2, &["no model `transformer`"], list);
    lab.run("models resnet50").fails(2, &["no model `resnet50`"], list);
    lab.run("bench --model lenet5").fails(2, &["no model `lenet5`"], "did you mean `lenet`?");
    assert!(!lab.exists("models"));
}

impl Answer {
    #[track_caller]
    fn fails_also(self, hint: &str) {
        self.fails(2, &[], hint);
    }
}

#[test]
fn an_unknown_device_is_told_with_the_list() {
    let lab = colours();
    let list = "`auto`, `cpu`, `gpu`, `gpu:N`, `ndarray`";
    for device in ["tpu", "cuda", "gpu:x", "gpu:-1", "CPU"] {
        train(&lab, &format!("--device {device}")).fails(
            2,
            &[&format!("no device `{device}`")],
            list,
        );
    }
    lab.run("bench --device tpu").fails(2, &["no device `tpu`"], list);
}

#[cfg(not(feature = "gpu"))]
#[test]
fn a_gpu_that_this_build_cannot_use_is_the_environments_fault() {
    let lab = colours();
    for device in ["gpu", "gpu:0"] {
        train(&lab, &format!("--device {device}")).fails(
            4,
            &["this build has no GPU support"],
            "`--features gpu`",
        );
    }
    assert!(!lab.exists("models"));
}

#[test]
fn an_unwritable_models_folder_is_found_before_the_first_step() {
    let lab = colours();
    lab.write("models", "a file, not a folder");
    train(&lab, "--model mlp --epochs 1").fails(4, &["`models`"], "`--models DIR`");
    assert_eq!(lab.read_text("models"), "a file, not a folder");
    lab.write("m/file", "");
    train(&lab, "--model mlp --epochs 1 --models m/file/deeper").fails(
        4,
        &["m/file/deeper"],
        "`--models DIR`",
    );
}

#[test]
fn an_unwritable_images_folder_is_found_before_the_first_step() {
    let lab = colours();
    lab.write("images", "a file, not a folder");
    let answer = train(&lab, "--model mlp --epochs 1").fails(4, &["`images`"], "`--images DIR`");
    assert!(!answer.stderr.contains("epoch 1"), "{}", answer.stderr);
    assert_eq!(lab.names("models"), Vec::<String>::new(), "no run was begun");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files_is_found_before_the_first_step() {
    let lab = colours();
    // Nobody can make a file in /proc, not even root.
    for flag in ["--models", "--images"] {
        train(&lab, &format!("--model mlp --epochs 1 {flag} /proc")).fails(
            4,
            &["`/proc`"],
            "make it writable",
        );
    }
}

#[test]
fn an_unknown_key_of_a_configuration_is_told_with_the_nearest() {
    let lab = colours();
    lab.write("mine.toml", "epoch = 3\n");
    train(&lab, "--config mine.toml").fails(
        2,
        &["bad configuration `mine.toml`", "unknown key `epoch`"],
        "did you mean `epochs`?",
    );
    lab.write("mine.toml", "[optimizer]\nkind = \"adam\"\n");
    train(&lab, "--config mine.toml").fails(2, &["`mine.toml`"], "");
    lab.write("mine.toml", "number_of_passes = 3\n");
    train(&lab, "--config mine.toml").fails(2, &["`number_of_passes`"], "train --help");
}

#[test]
fn a_bad_value_of_a_configuration_is_told_with_its_file() {
    let lab = colours();
    for (text, tells) in [
        ("epochs = \"many\"", "epochs"),
        ("epochs = -1", "epochs"),
        ("optimizer = \"lion\"", "lion"),
        ("augment = 3", "augment"),
        ("epochs = = 3", "line 1"),
        ("\n\nlr = [", "line 3"),
        ("format = 2", "format = 2"),
    ] {
        lab.write("mine.toml", text);
        train(&lab, "--config mine.toml").fails(2, &["`mine.toml`", tells], "");
    }
    lab.write("mine.toml", "epochs = 0");
    train(&lab, "--config mine.toml").fails(2, &["epochs"], "1 to 1000000");
    let answer = train(&lab, "--config missing.toml");
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("cannot read `missing.toml`"), "{}", answer.stderr);
}

#[test]
fn a_bad_environment_variable_is_refused() {
    let lab = colours();
    let answer = lab.run_with("train colours", &[("TINDERBOX_EPOCHS", "many")], b"");
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("many") && answer.stderr.contains("--epochs"));
}

#[test]
fn mistakes_of_usage_end_with_2() {
    let lab = Lab::new();
    for line in [
        "",
        "trian",
        "train a b",
        "train --epochs",
        "train --epochs many",
        "train --optimizer lion",
        "train --no-such-flag",
        "evaluate",
        "predict x",
        "runs",
        "runs show",
        "train -q -v",
        "completions tcsh",
    ] {
        let answer = lab.run(line);
        assert_eq!(answer.code, 2, "tinderbox {line}\n{}", answer.stderr);
        assert!(!answer.stderr.is_empty(), "tinderbox {line}");
    }
    assert!(lab.run("trian").stderr.contains("train"), "the nearest verb is offered");
}

#[test]
fn a_divergence_names_step_and_learning_rate() {
    let lab = colours();
    let answer = train(
        &lab,
        "--model mlp --epochs 50 --optimizer sgd --lr 1000 --warmup 0 --schedule constant --name x",
    )
    .fails(1, &["the loss is", "at step ", "learning rate of 1.00e3"], "`--lr");
    assert!(answer.stderr.contains("saved") || answer.stderr.contains("checkpoint.safetensors"));
    let events = lab.events("x");
    let last = events.last().unwrap();
    assert_eq!(last["event"], "diverged");
    assert_eq!(last["lr"], 1000.0);
    assert!(last["step"].as_u64().unwrap() >= 1);
}

#[test]
fn a_divergence_after_an_epoch_names_the_checkpoint_and_keeps_it() {
    let lab = colours();
    // The rate grows by warm-up until the loss breaks, after a few good epochs.
    let line = "--model mlp --epochs 60 --optimizer sgd --lr 1000 --warmup 60 --batch 36 --name x";
    train(&lab, line).fails(1, &["the loss is", "models/x/checkpoint.safetensors"], "`--clip 1`");
    let json = lab.run("evaluate x --json").good().json();
    assert_eq!(json["scores"]["images"], 9);
}
