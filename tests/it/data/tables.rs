//! `runs`, `models`, `datasets`, `devices`, `bench`: a table and JSON of each.

use crate::draw::{idx_folder, trained};
use crate::lab::Lab;

#[test]
fn runs_list_shows_every_run() {
    let lab = trained();
    lab.train("colours --model lenet --size 16 --epochs 1 --name other");
    lab.make_folder("models/unfinished");
    lab.write("models/broken/model.safetensors", "not a model");
    lab.write("models/README.md", "no run");
    lab.run("runs list").good().shows(&["RUN", "base", "mlp", "100.0%", "lenet", "unfinished"]);
    let json = lab.run("runs list --json").good().json();
    let runs = json["runs"].as_array().unwrap();
    let names: Vec<&str> = runs.iter().filter_map(|run| run["run"].as_str()).collect();
    assert_eq!(names, ["base", "broken", "other", "unfinished"]);
    assert_eq!(runs[0]["model"], "mlp");
    assert_eq!(runs[0]["classes"], 3);
    assert_eq!(runs[0]["test_top1"], 1.0);
    assert!(runs[1]["error"].as_str().unwrap().contains("not a model"));
}

#[test]
fn runs_list_without_runs_says_how_to_make_one() {
    let lab = Lab::new();
    lab.run("runs list").good().shows(&["no runs in `models`", "tinderbox train"]);
    let json = lab.run("runs list --json").good().json();
    assert_eq!(json["runs"], serde_json::json!([]));
}

#[test]
fn runs_show_tells_one_run() {
    let lab = trained();
    lab.run("runs show base").good().shows(&[
        "models/base/model.safetensors",
        "mlp",
        "parameters",
        "3 classes",
        "`blue`, `green`, `red`",
        "12x12 pixels, colour",
        "test  top-1 100.0%",
        "epochs = 4",
    ]);
    let json = lab.run("runs show models/base --json").good().json();
    assert_eq!(json["model"], "mlp");
    assert_eq!(json["parameters"], 432 * 512 + 512 + 512 * 256 + 256 + 256 * 3 + 3);
    assert_eq!(json["settings"]["batch"], 12);
    assert_eq!(json["preprocessing"]["channels"], 3);
}

#[test]
fn models_lists_the_zoo() {
    let lab = Lab::new();
    let names = ["mlp", "lenet", "cnn", "resnet18", "mobilenet_v2"];
    lab.run("models").good().shows(&names);
    let json = lab.run("models --size 224 --classes 1000 --json").good().json();
    let models = json["models"].as_array().unwrap();
    let found: Vec<&str> = models.iter().filter_map(|model| model["name"].as_str()).collect();
    assert_eq!(found, names);
    assert_eq!(models[3]["parameters"], 11_689_512, "torchvision's resnet18");
    assert_eq!(models[4]["parameters"], 3_504_872, "torchvision's mobilenet_v2");
}

#[test]
fn models_shows_one_network() {
    let lab = Lab::new();
    let line = "models cnn --size 28 --channels 1 --classes 10";
    lab.run(line).good().shows(&["conv 3x3", "max-pool 2", "dropout 0.5", "34,826 parameters"]);
    let json = lab.run(&format!("{line} --json")).good().json();
    assert_eq!(json["parameters"], 34_826);
    assert_eq!(json["spec"]["name"], "cnn");
}

#[test]
fn models_refuses_images_that_do_not_fit() {
    let lab = Lab::new();
    lab.run("models lenet --size 8").fails(
        3,
        &["the model `lenet` does not fit", "`conv2`", "window of 5", "2 pixels"],
        "a larger `--size`",
    );
    lab.run("models mlp --size 4096").fails(3, &["`fc1`", "too many"], "a smaller `--size`");
    lab.run("models cnn --size 0").fails(2, &["`--size 0`"], "1 to");
    lab.run("models cnn --classes 0").fails(2, &["`--classes 0`"], "1 to");
}

#[test]
fn datasets_list_shows_what_there_is_and_what_is_wrong() {
    let lab = trained();
    idx_folder(&lab, "digits");
    lab.make_folder("datasets/void");
    lab.run("datasets list").good().shows(&[
        "DATA SET",
        "colours",
        "datasets/digits",
        "fashion-mnist-mini",
        "in the program",
        "void",
    ]);
    let json = lab.run("datasets list --json").good().json();
    let sets = json["datasets"].as_array().unwrap();
    let find = |name: &str| sets.iter().find(|set| set["name"] == name).unwrap();
    assert_eq!(find("colours")["train"], 36);
    assert_eq!(find("digits")["test"], 20);
    assert_eq!(find("fashion-mnist-mini")["train"], 10_000);
    assert!(find("void")["error"].is_string());
}

#[test]
fn devices_says_which_one_auto_takes() {
    let lab = Lab::new();
    lab.run("devices").good().shows(&["cpu", "auto"]);
    let json = lab.run("devices --json").good().json();
    assert_eq!(json["gpu_support"], cfg!(feature = "gpu"));
    assert!(json["cpu"]["cores"].as_u64().unwrap() >= 1);
    let auto = json["auto"].as_str().unwrap();
    assert!(auto == "cpu" || auto.starts_with("gpu:"), "{auto}");
}

#[test]
fn bench_measures_a_shape() {
    let lab = Lab::new();
    let line = "bench --model lenet --size 16 --channels 1 --classes 4 --batch 4 --steps 2 --device cpu --threads 1";
    lab.run(line).good().shows(&["lenet on cpu, batch 4", "images/s training", "inference"]);
    let json = lab.run(&format!("{line} --json")).good().json();
    for key in ["train_images_per_second", "infer_images_per_second"] {
        assert!(json[key].as_f64().unwrap() > 0.0, "{key}");
    }
    if cfg!(target_os = "linux") {
        assert!(json["peak_rss_mb"].as_f64().unwrap() > 1.0);
    }
    assert_eq!(json["device"], "cpu");
    assert_eq!(json["threads"], 1);
    assert_eq!(json["train_steps"], 2);
    lab.run("bench --steps 0").fails(2, &["`--steps 0`"], "it must be 1 to");
}

#[test]
fn bench_measures_for_a_time_and_one_phase() {
    let lab = Lab::new();
    let line = "bench --model lenet --size 16 --channels 1 --batch 1 --seconds 0.01 --device cpu --json --only";
    for (only, other, key) in [("training", "infer", "train"), ("inference", "train", "infer")] {
        let json = lab.run(&format!("{line} {only}")).good().json();
        assert!(json[format!("{key}_images_per_second")].as_f64().unwrap() > 0.0, "{only}");
        assert!(json[format!("{key}_steps")].as_u64().unwrap() >= 3, "{only}");
        assert!(json[format!("{other}_images_per_second")].is_null(), "{only}");
    }
    lab.run("bench --seconds 0").fails(2, &["`--seconds 0`"], "more than 0");
    assert_eq!(lab.run("bench --seconds 1 --steps 2").code, 2);
}
