//! What `train` reads.

use serde_json::Value;

use crate::draw::{COLOURS, colours, encode, gzip, idx_folder, idx_split, picture, tree};
use crate::lab::Lab;

fn splits(lab: &Lab, run: &str) -> [usize; 3] {
    let lock = lab.lock(run);
    ["train", "val", "test"].map(|split| lock.iter().filter(|line| line.0 == split).count())
}

#[test]
fn a_folder_with_train_val_and_test_trains_on_these_splits() {
    let lab = colours();
    let json = lab.train("colours --model mlp --epochs 3 --batch 12 --name x --json").json();
    assert_eq!(splits(&lab, "x"), [36, 9, 9]);
    assert_eq!(json["val"]["images"], 9);
    assert_eq!(json["test"]["images"], 9);
    assert_eq!(json["test"]["top1"], 1.0, "colours are easy to tell apart");
    for (split, class, path) in lab.lock("x") {
        assert!(path.starts_with(&format!("{split}/{class}/")), "{path}");
    }
}

#[test]
fn a_single_tree_is_split_by_class() {
    let lab = Lab::new();
    tree(&lab, "datasets/colours", 20);
    lab.train("colours --model mlp --epochs 1 --name x");
    assert_eq!(splits(&lab, "x"), [48, 6, 6]);
    let lock = lab.lock("x");
    for class in COLOURS {
        let tests = lock.iter().filter(|line| line.0 == "test" && line.1 == class).count();
        assert_eq!(tests, 2, "{class}");
    }
    let mut paths: Vec<&String> = lock.iter().map(|line| &line.2).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 60, "every picture is in one split");
}

#[test]
fn a_data_set_may_be_any_path() {
    let lab = Lab::new();
    tree(&lab, "elsewhere/mine", 6);
    lab.train("elsewhere/mine --model mlp --epochs 1");
    assert_eq!(lab.names("models"), ["mine-mlp-001"]);
}

#[test]
fn every_image_format_is_read() {
    let lab = Lab::new();
    let formats = ["png", "jpg", "jpeg", "bmp", "gif", "tif", "tiff", "webp"];
    for (class, name) in COLOURS.into_iter().enumerate() {
        for (number, extension) in formats.into_iter().enumerate() {
            let bytes = encode(&picture(class, number, 16, 12), extension);
            lab.write(format!("datasets/d/train/{name}/{number}.{extension}"), &bytes);
            lab.write(format!("datasets/d/val/{name}/{number}.{extension}"), &bytes);
        }
    }
    let json = lab.train("d --model mlp --epochs 6 --batch 8 --name x --max-bad 0 --json").json();
    assert_eq!(splits(&lab, "x"), [24, 24, 0]);
    assert_eq!(json["val"]["top1"], 1.0);
    assert!(!lab.events("x").iter().any(|event| event["event"] == "sample_quarantined"));
}

#[test]
fn nested_folders_count_and_hidden_files_do_not() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 6);
    let bytes = encode(&picture(0, 50, 12, 12), "png");
    lab.write("datasets/d/blue/deep/er/nested.PNG", &bytes);
    for hidden in [".DS_Store", "._001.png", ".cache/x.png", "__MACOSX/y.png", "Thumbs.db"] {
        lab.write(format!("datasets/d/blue/{hidden}"), &bytes);
    }
    lab.write("datasets/d/blue/notes.txt", "not an image");
    lab.write("datasets/d/.git/z.png", &bytes);
    lab.write("datasets/d/README.md", "about the data");
    lab.train("d --model mlp --epochs 1 --name x");
    let lock = lab.lock("x");
    assert_eq!(lock.len(), 19);
    assert!(lock.iter().any(|line| line.2 == "blue/deep/er/nested.PNG"));
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_never_in_circles() {
    use std::os::unix::fs::symlink;
    let lab = Lab::new();
    tree(&lab, "datasets/d", 6);
    lab.write("pictures/far.png", encode(&picture(0, 50, 12, 12), "png"));
    symlink(".", lab.path("datasets/d/blue/circle")).unwrap();
    symlink("nowhere.png", lab.path("datasets/d/blue/broken.png")).unwrap();
    symlink("../../../pictures", lab.path("datasets/d/blue/linked")).unwrap();
    lab.train("d --model mlp --epochs 1 --name x");
    let lock = lab.lock("x");
    assert_eq!(lock.len(), 19);
    assert!(lock.iter().any(|line| line.2 == "blue/linked/far.png"));
}

#[test]
fn idx_files_are_read_plain_and_compressed_alike() {
    let lab = Lab::new();
    idx_folder(&lab, "plain");
    for (part, count) in [("train", 60), ("t10k", 20)] {
        let [images, labels] = idx_split(count, 5);
        lab.write(format!("datasets/packed/{part}-images-idx3-ubyte.gz"), gzip(&images));
        lab.write(format!("datasets/packed/{part}-labels-idx1-ubyte.gz"), gzip(&labels));
    }
    let json = lab.train("plain --model mlp --epochs 4 --batch 10 --name p --json").json();
    assert_eq!(splits(&lab, "p"), [55, 5, 20]);
    assert_eq!(json["test"]["top1"], 1.0);
    lab.train("packed --model mlp --epochs 4 --batch 10 --name q");
    assert_eq!(lab.weights("p"), lab.weights("q"));
}

#[test]
fn classes_txt_names_the_classes_of_idx_files() {
    let lab = Lab::new();
    idx_folder(&lab, "d");
    lab.write("datasets/d/classes.txt", "zero\none\ntwo\nthree\nfour\n");
    let json = lab.train("d --model mlp --epochs 1 --json").json();
    let names: Vec<&str> = json["test"]["classes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|class| class["class"].as_str())
        .collect();
    assert_eq!(names, ["zero", "one", "two", "three", "four"]);
}

#[test]
fn pictures_of_mixed_sizes_and_kinds_are_trained_at_one_size() {
    let lab = Lab::new();
    for (class, name) in COLOURS.into_iter().enumerate() {
        for number in 0..8 {
            let (width, height) = (12 + 4 * number as u32, 40 - 3 * number as u32);
            let bytes = encode(&picture(class, number, width, height), "png");
            lab.write(format!("datasets/d/{name}/{number}.png"), bytes);
        }
    }
    let answer = lab.train("d --model lenet --size 32 --epochs 1 --name x");
    assert!(answer.stderr.contains("32x32 colour"), "{}", answer.stderr);
    let answer = lab.train("d --model mlp --size 16 --channels 1 --epochs 1 --name y");
    assert!(answer.stderr.contains("16x16 grey"), "{}", answer.stderr);
}

#[test]
fn without_an_argument_the_data_set_inside_the_program_is_trained() {
    let lab = Lab::new();
    std::fs::remove_dir(lab.path("datasets")).unwrap();
    let json = lab.train("--model mlp --epochs 1 --batch 256 --json").json();
    assert_eq!(json["run"], "fashion-mnist-mini-mlp-001");
    assert_eq!(json["test"]["images"], 2000);
    assert_eq!(json["val"]["images"], 1000);
    assert!(!lab.exists("datasets"));
}

#[test]
fn the_data_set_is_only_read() {
    fn snapshot(folder: &std::path::Path, into: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.metadata().unwrap();
            into.push(format!("{path:?} {} {:?}", meta.len(), meta.modified().unwrap()));
            if meta.is_dir() {
                snapshot(&path, into);
            }
        }
        into.sort();
    }
    let lab = colours();
    let datasets = lab.path("datasets");
    let mut before = Vec::new();
    snapshot(&datasets, &mut before);
    set_writable(&datasets, false);
    let answer = lab.run("train colours --model mlp --epochs 1 --name x --threads 1");
    let evaluated = lab.run("evaluate x");
    let listed = lab.run("datasets list");
    set_writable(&datasets, true);
    let mut after = Vec::new();
    snapshot(&datasets, &mut after);
    for answer in [answer, evaluated, listed] {
        answer.good();
    }
    assert_eq!(before, after);
}

/// Takes write permission from every folder below; it does not bind root, but does no harm.
fn set_writable(folder: &std::path::Path, writable: bool) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            set_writable(&path, writable);
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = if writable { 0o755 } else { 0o555 };
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn early_stopping_ends_a_run_that_gets_no_better() {
    let lab = colours();
    let json =
        lab.train("colours --model mlp --epochs 30 --patience 2 --lr 1e-12 --json --name x").json();
    let epochs = json["epochs"].as_array().map_or(0, Vec::len);
    assert!((3..30).contains(&epochs), "{epochs} epochs");
    let stopped = |event: &&Value| event["event"] == "stopped_early";
    assert_eq!(lab.events("x").iter().filter(stopped).count(), 1);
}

#[test]
fn a_batch_can_be_what_fits_and_be_computed_in_parts() {
    let lab = colours();
    lab.train("colours --model mlp --epochs 1 --batch auto --micro-batch auto --name auto");
    let record = &lab.settings("auto")["record"];
    assert_eq!(record["batch"].as_integer(), Some(1), "36 images leave 36 steps in an epoch");
    lab.train("colours --model mlp --epochs 1 --batch 8 --micro-batch 3 --name parts");
    let record = &lab.settings("parts")["record"];
    assert_eq!(record["micro-batch"].as_integer(), Some(3));
    lab.run("train colours --batch many").fails_usage("neither a whole number nor `auto`");
    lab.run("train colours --micro-batch 0").fails(2, &["--micro-batch 0"], "1 to");
}
