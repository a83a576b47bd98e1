//! Where settings come from: flags, the environment, a file, the defaults.

use crate::draw::{colours, trained, tree};
use crate::lab::Lab;

#[test]
fn a_flag_wins_over_the_environment_and_that_over_a_file() {
    let lab = colours();
    lab.write("mine.toml", "epochs = 1\nbatch = 9\nlr = 0.004\nmodel = \"mlp\"\n");
    let variables = [("TINDERBOX_BATCH", "12"), ("TINDERBOX_LR", "0.005")];
    let line = "train colours --config mine.toml --lr 0.006 --name x --threads 1";
    lab.run_with(line, &variables, b"").good();
    let settings = lab.settings("x");
    assert_eq!(settings["format"].as_integer(), Some(1));
    assert_eq!(settings["epochs"].as_integer(), Some(1));
    assert_eq!(settings["batch"].as_integer(), Some(12));
    assert_eq!(settings["lr"].as_float(), Some(0.006));
    let origin = |key: &str| settings["origin"][key].as_str().unwrap().to_owned();
    assert_eq!(origin("epochs"), "file mine.toml");
    assert_eq!(origin("batch"), "environment TINDERBOX_BATCH");
    assert_eq!(origin("lr"), "flag");
    assert_eq!(origin("seed"), "default");
    assert_eq!(lab.events("x")[0]["steps"], 3, "36 images in batches of 12");
}

#[test]
fn every_flag_of_the_help_has_its_environment_variable() {
    let lab = colours();
    let variables = [
        ("TINDERBOX_DATASET", "colours"),
        ("TINDERBOX_MODEL", "lenet"),
        ("TINDERBOX_SIZE", "16"),
        ("TINDERBOX_CHANNELS", "1"),
        ("TINDERBOX_EPOCHS", "2"),
        ("TINDERBOX_BATCH", "7"),
        ("TINDERBOX_LR", "0.01"),
        ("TINDERBOX_OPTIMIZER", "sgd"),
        ("TINDERBOX_SCHEDULE", "step"),
        ("TINDERBOX_WARMUP", "0.5"),
        ("TINDERBOX_MOMENTUM", "0.8"),
        ("TINDERBOX_WEIGHT_DECAY", "0.02"),
        ("TINDERBOX_LABEL_SMOOTHING", "0.1"),
        ("TINDERBOX_CLIP", "1.5"),
        ("TINDERBOX_CLASS_WEIGHTS", "balanced"),
        ("TINDERBOX_PATIENCE", "9"),
        ("TINDERBOX_MICRO_BATCH", "5"),
        ("TINDERBOX_ON_NAN", "rollback"),
        ("TINDERBOX_STOP_AFTER", "1000000"),
        ("TINDERBOX_CHECKPOINT_EVERY", "30s"),
        ("TINDERBOX_AUDIT_EVERY", "7"),
        ("TINDERBOX_AUGMENT", "none"),
        ("TINDERBOX_AUGMENTATION", "flip=0.5,policy=rand"),
        ("TINDERBOX_CACHE", "none"),
        ("TINDERBOX_VAL_FRACTION", "0.2"),
        ("TINDERBOX_MAX_BAD", "0.1"),
        ("TINDERBOX_SEED", "3"),
        ("TINDERBOX_NAME", "x"),
        ("TINDERBOX_OVERWRITE", "true"),
        ("TINDERBOX_DEVICE", "cpu"),
        ("TINDERBOX_KERNELS", "off"),
        ("TINDERBOX_THREADS", "1"),
        ("TINDERBOX_LOADER_THREADS", "2"),
    ];
    lab.run_with("train", &variables, b"").good();
    let settings = lab.settings("x");
    let origins = settings["origin"].as_table().unwrap();
    let mut open = Vec::new();
    for (name, origin) in origins {
        let variable = format!("TINDERBOX_{}", name.replace('-', "_").to_uppercase());
        let Some((_, given)) = variables.iter().find(|(known, _)| *known == variable) else {
            open.push(name.as_str());
            continue;
        };
        assert_eq!(origin.as_str(), Some(format!("environment {variable}").as_str()));
        let value = &settings[name];
        let text = |value: &toml::Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let value = match value.as_table() {
            Some(parts) => {
                let parts = parts.iter().map(|(part, value)| format!("{part}={}", text(value)));
                parts.collect::<Vec<_>>().join(",")
            }
            None => text(value),
        };
        assert_eq!(&value, given, "{name}");
    }
    assert_eq!(open, ["columns", "data-format", "group", "lock"], "what was not given");
    assert_eq!(origins.len(), variables.len() + open.len());
    let help = lab.run("train --help").good().stdout;
    let flags = help.split_whitespace().filter(|word| word.starts_with("--"));
    let flags: Vec<&str> = flags.map(|flag| flag.trim_end_matches([',', '.', ':'])).collect();
    for name in origins.keys().filter(|name| *name != "dataset") {
        assert!(flags.contains(&format!("--{name}").as_str()), "--{name} is not in the help");
    }
}

#[test]
fn the_three_folders_are_found_by_flag_then_environment_then_default() {
    let lab = Lab::new();
    tree(&lab, "data/colours", 6);
    let variables = [
        ("TINDERBOX_DATASETS", "data"),
        ("TINDERBOX_MODELS", "m"),
        ("TINDERBOX_IMAGES", "pictures/of/mine"),
    ];
    let line = "train colours --model mlp --epochs 1 --name x --threads 1";
    lab.run_with(line, &variables, b"").good();
    assert_eq!(lab.names("m"), ["x"]);
    assert_eq!(lab.names("pictures/of/mine"), ["x"]);
    let line = format!("{line} --models n --images p");
    lab.run_with(&line, &variables, b"").good();
    assert_eq!(lab.names("n"), ["x"]);
    assert_eq!(lab.names("p"), ["x"]);
    assert!(!lab.exists("models") && !lab.exists("images"));
    let listed = lab.run("runs list --models n --json").good().json();
    assert_eq!(listed["runs"][0]["run"], "x");
}

#[test]
fn run_toml_is_a_configuration_that_gives_the_same_model() {
    let lab = colours();
    lab.train("colours --model mlp --epochs 2 --batch 7 --lr 0.01 --seed 4 --augment none");
    lab.run("train --config models/colours-mlp-001/run.toml").good();
    assert_eq!(lab.names("models"), ["colours-mlp-001", "colours-mlp-002"]);
    assert_eq!(lab.weights("colours-mlp-001"), lab.weights("colours-mlp-002"));
    let settings = lab.settings("colours-mlp-002");
    let origin = settings["origin"]["batch"].as_str().unwrap();
    assert_eq!(origin, "file models/colours-mlp-001/run.toml");
}

#[test]
fn run_toml_records_every_value_that_took_effect() {
    let lab = colours();
    let line = "train colours --epochs 1 --optimizer sgd --augment auto --seed 4 --name x";
    lab.run(line).good();
    let settings = lab.settings("x");
    let effective = settings["record"]["effective"].as_table().unwrap();
    assert_eq!(effective["lr"].as_float(), Some(0.05));
    assert_eq!(effective["batch"].as_integer(), Some(36), "all images; the default is 64");
    assert_eq!(effective["micro-batch"].as_integer(), Some(36));
    let words = ["model", "data-format", "augment", "class-weights", "device"];
    let words = words.map(|name| effective[name].as_str().unwrap());
    assert_eq!(words, ["cnn", "folder", "light", "none", "cpu"]);
    for name in ["size", "channels", "threads", "loader-threads"] {
        assert!(effective[name].as_integer().unwrap() > 0, "{name}");
    }
    assert!(!effective.contains_key("epochs"), "it is among the settings");
    let origin = |name: &str| settings["origin"][name].as_str().unwrap();
    for (name, from) in [
        ("model", "data"),
        ("size", "data"),
        ("batch", "data"),
        ("class-weights", "data"),
        ("lr", "default"),
        ("threads", "default"),
        ("group", "default"),
        ("augment", "flag"),
        ("optimizer", "flag"),
    ] {
        assert_eq!(origin(name), from, "{name}");
    }
    lab.run("runs show x").good().shows(&["[record.effective]", "lr = 0.05"]);
    let resumed = lab.run("train --resume x --epochs 2").good();
    assert!(resumed.stderr.contains("changed: epochs 1 -> 2"), "{}", resumed.stderr);
    assert_eq!(lab.settings("x")["record"]["effective"], settings["record"]["effective"]);
}

#[test]
fn run_toml_says_again_what_was_a_default() {
    let lab = colours();
    lab.train("colours --model mlp --epochs 1"); // the default batch is larger than the data
    lab.run("train --config models/colours-mlp-001/run.toml").good();
    assert_eq!(lab.weights("colours-mlp-001"), lab.weights("colours-mlp-002"));
}

#[test]
fn run_toml_of_a_named_run_does_not_replace_that_run_by_itself() {
    let lab = trained();
    lab.run("train --config models/base/run.toml").fails(
        2,
        &["there is a run `base`"],
        "`--overwrite`",
    );
    lab.run("train --config models/base/run.toml --name again").good();
    assert_eq!(lab.weights("base"), lab.weights("again"));
}

#[test]
fn a_run_that_replaced_another_does_not_ask_for_it_again_in_its_run_toml() {
    let lab = trained();
    lab.train("colours --model mlp --epochs 1 --batch 12 --name base --overwrite");
    lab.run("train --config models/base/run.toml").fails(
        2,
        &["there is a run `base`"],
        "`--overwrite`",
    );
}
