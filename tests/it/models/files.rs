//! What `train` leaves, and under which names.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::draw::{colours, trained};

#[test]
fn a_run_leaves_its_files_and_pictures_and_nothing_else() {
    let lab = trained();
    assert_eq!(
        lab.names("models/base"),
        ["checkpoint.safetensors", "dataset.lock", "events.jsonl", "model.safetensors", "run.toml"]
    );
    let pictures = ["batch.png", "confusion.png", "curves.png", "mistakes.png", "predictions.png"];
    assert_eq!(lab.names("images/base"), pictures);
    for name in pictures {
        let bytes = lab.read(format!("images/base/{name}"));
        let picture = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png);
        let picture = picture.unwrap_or_else(|cause| panic!("{name}: {cause}")).to_rgb8();
        let colours: BTreeSet<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
        assert!(picture.width() >= 100 && picture.height() >= 60, "{name} is tiny");
        assert!(colours.len() > 1, "{name} is empty");
    }
    assert_eq!(lab.names(""), ["datasets", "images", "models"], "nothing lies outside");
}

#[test]
fn the_events_tell_the_run_from_start_to_end() {
    let lab = trained();
    let events = lab.events("base");
    assert!(events.iter().all(|event| event["v"] == 1 && event["time"].is_number()));
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    let epoch = "epoch_finished";
    assert_eq!(kinds, ["run_started", epoch, epoch, epoch, epoch, "run_finished"]);
    assert_eq!(events[0]["images"], serde_json::json!([36, 9, 9]));
    assert_eq!(events[0]["steps"], 12);
    let steps: Vec<Option<u64>> = events[1..5].iter().map(|event| event["step"].as_u64()).collect();
    assert_eq!(steps, [3, 6, 9, 12].map(Some));
    let first = events[1]["train_loss"].as_f64().unwrap();
    let last = events[4]["train_loss"].as_f64().unwrap();
    assert!(last < first, "the loss went from {first} to {last}");
    assert!(events.iter().any(|event| event["best"] == true));
    assert_eq!(events[5]["test_top1"], 1.0);
}

#[test]
fn the_model_file_says_what_it_is_and_nothing_about_the_run() {
    let lab = trained();
    for (name, format) in [("model", "1"), ("checkpoint", "2")] {
        let bytes = lab.read(format!("models/base/{name}.safetensors"));
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        assert_eq!(metadata["tinderbox.format"], format, "{name}");
        assert_eq!(metadata["tinderbox.blake3"].len(), 64, "{name}");
        let text = format!("{metadata:?}");
        let folder = lab.path("").display().to_string();
        for private in ["base", "colours", folder.as_str(), "threads", "device", "seconds"] {
            assert!(!text.contains(private), "{name} says `{private}`: {text}");
        }
    }
    let bytes = lab.read("models/base/model.safetensors");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().clone().unwrap();
    let part = |key: &str| serde_json::from_str::<Value>(&metadata[key]).unwrap();
    assert_eq!(part("classes"), serde_json::json!(["blue", "green", "red"]));
    assert_eq!(part("spec")["name"], "mlp");
    assert_eq!(part("preprocessing")["width"], 12);
    assert_eq!(part("scores")["test"]["top1"], 1.0);
}

#[test]
fn run_names_count_up_and_skip_what_is_there() {
    let lab = colours();
    let train = || lab.train("colours --model mlp --epochs 1 --json").json()["run"].clone();
    assert_eq!(train(), "colours-mlp-001");
    assert_eq!(train(), "colours-mlp-002");
    lab.make_folder("images/colours-mlp-007"); // pictures of a run that is gone
    assert_eq!(train(), "colours-mlp-008");
    assert_eq!(lab.names("images").len(), 4);
}

#[test]
fn a_run_is_replaced_only_when_asked_to() {
    let lab = trained();
    let before = lab.weights("base");
    lab.run("train colours --model mlp --epochs 1 --seed 5 --name base").fails(
        2,
        &["there is a run `base` in `models`"],
        "`--overwrite`",
    );
    assert_eq!(lab.weights("base"), before, "the refused run changed nothing");
    lab.write("images/base/mine.png", "kept");
    lab.train("colours --model mlp --epochs 1 --seed 5 --name base --overwrite");
    assert_ne!(lab.weights("base"), before);
    assert_eq!(lab.events("base").len(), 3, "the log starts anew");
    assert!(lab.exists("images/base/mine.png"), "only the run's own pictures are replaced");
}

#[test]
fn a_name_cannot_lead_out_of_the_models_folder() {
    let lab = colours();
    for name in ["../x", "/tmp/x", ".x", "a/b", ".."] {
        lab.run(&format!("train colours --model mlp --epochs 1 --name {name}")).fails(
            2,
            &["cannot be a run's name", name],
            "letters, digits",
        );
    }
    assert_eq!(lab.names(""), ["datasets"]);
}

#[test]
fn a_grid_search_in_parallel_gives_every_run_its_own_number() {
    let lab = colours();
    let children: Vec<_> = (0..4)
        .map(|_| {
            lab.program("train colours --model mlp --epochs 1 --threads 1 -q".split(' '))
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let names = lab.names("models");
    assert_eq!(names, ["001", "002", "003", "004"].map(|n| format!("colours-mlp-{n}")));
    for name in names {
        assert_eq!(lab.names(&format!("models/{name}")).len(), 5, "{name}");
    }
}
