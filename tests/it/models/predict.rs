//! `predict`

use std::collections::BTreeMap;

use serde_json::Value;

use crate::draw::{COLOURS, encode, picture, trained};
use crate::lab::Lab;

/// A trained lab with one fresh photo of each class in `photos`.
fn photos() -> Lab {
    let lab = trained();
    for (class, name) in COLOURS.into_iter().enumerate() {
        lab.write(format!("photos/{name}.jpg"), encode(&picture(class, 70, 40, 30), "jpg"));
    }
    lab
}

/// The first class of each image in the lines of `--json`.
fn firsts(lines: &[Value]) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    lines.iter().map(|line| (text(&line["image"]), text(&line["classes"][0]["class"]))).collect()
}

#[test]
fn files_folders_and_patterns_give_the_same_answers() {
    let lab = photos();
    let expected: BTreeMap<String, String> =
        COLOURS.map(|name| (format!("photos/{name}.jpg"), name.to_owned())).into();
    for paths in [
        "photos/red.jpg photos/green.jpg photos/blue.jpg",
        "photos",
        "photos/*.jpg",
        "photos/[bg]*.jpg photos/r?d.jpg",
        "photos/**/*.jpg",
    ] {
        let answer = lab.run(&format!("predict base {paths} --json")).good();
        assert_eq!(firsts(&answer.json_lines()), expected, "{paths}");
    }
}

#[test]
fn answers_come_in_the_order_in_which_the_files_were_named() {
    let lab = photos();
    let answer = lab.run("predict base photos/red.jpg photos/blue.jpg photos/green.jpg --json");
    let images: Vec<String> =
        answer.good().json_lines().iter().map(|line| line["image"].to_string()).collect();
    assert_eq!(images, ["red", "blue", "green"].map(|name| format!("\"photos/{name}.jpg\"")));
}

#[test]
fn a_dash_reads_one_image_from_stdin() {
    let lab = photos();
    let bytes = lab.read("photos/green.jpg");
    let lines = lab.run_with("predict base - --json", &[], &bytes).good().json_lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["classes"][0]["class"], "green");
    lab.run_with("predict base -", &[], b"").fails(3, &["1 image was not read"], "");
}

#[test]
fn top_says_how_many_classes_are_named() {
    let lab = photos();
    for (top, count) in [(1, 1), (2, 2), (3, 3), (99, 3)] {
        let line = format!("predict base photos/red.jpg --top {top} --json");
        let lines = lab.run(&line).good().json_lines();
        let classes = lines[0]["classes"].as_array().unwrap();
        assert_eq!(classes.len(), count);
        let p: Vec<f64> = classes.iter().map(|c| c["probability"].as_f64().unwrap()).collect();
        assert!(p.is_sorted_by(|a, b| a >= b), "{p:?}");
        if count == 3 {
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{p:?}");
        }
    }
    lab.run("predict base photos --top 0").fails(2, &["`--top 0`"], "1 or more");
}

#[test]
fn the_table_and_the_comma_separated_values_say_the_same() {
    let lab = photos();
    lab.run("predict base photos").good().shows(&["IMAGE", "CLASS", "photos/red.jpg", "green"]);
    let text = lab.run("predict base photos --csv --top 2").good().stdout;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<&str> = reader.headers().unwrap().iter().collect();
    assert_eq!(header, ["image", "rank", "class", "probability", "error"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    for row in rows.iter().filter(|row| &row[1] == "1") {
        assert_eq!(row[0], format!("photos/{}.jpg", &row[2]));
        assert!(row[3].parse::<f64>().unwrap() > 0.5);
    }
    let both = lab.run("predict base photos --csv --json");
    assert_eq!((both.code, both.stdout.as_str()), (2, ""), "one form at a time");
}

#[test]
fn a_name_with_a_comma_and_quotes_stays_one_field() {
    let lab = photos();
    let name = "photos/a,\"b\".jpg";
    lab.write(name, lab.read("photos/red.jpg"));
    let text = lab.run("predict base photos --csv --top 1").good().stdout;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert!(reader.records().any(|row| &row.unwrap()[0] == name), "{text}");
}

#[test]
fn a_mosaic_is_a_picture_with_the_images() {
    let lab = photos();
    lab.run("predict base photos --mosaic sheet.png").good();
    let sheet = image::load_from_memory(&lab.read("sheet.png")).unwrap().to_rgb8();
    let count = |near: fn(&[u8; 3]) -> bool| sheet.pixels().filter(|p| near(&p.0)).count();
    assert!(count(|&[r, g, b]| r > 150 && g < 110 && b < 110) > 500, "no red photo on it");
    assert!(count(|&[r, g, b]| r < 120 && g > 130 && b < 130) > 500, "no green photo on it");
    assert!(count(|&[r, g, b]| r < 110 && g < 130 && b > 150) > 500, "no blue photo on it");
    lab.run("predict base photos --mosaic nowhere/sheet.png").fails(
        4,
        &["cannot write `nowhere/sheet.png`"],
        "",
    );
}

#[test]
fn an_unreadable_file_is_told_in_its_row_and_the_rest_is_answered() {
    let lab = photos();
    lab.write("photos/broken.jpg", &lab.read("photos/red.jpg")[..300]);
    lab.write("photos/empty.png", "");
    lab.write("photos/text.gif", "this is no image");
    let line = "predict base photos photos/missing.jpg";
    let answer = lab.run(&format!("{line} --json"));
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(answer.stderr.contains("4 images were not read, 3 answered"), "{}", answer.stderr);
    let lines = answer.json_lines();
    assert_eq!(lines.len(), 7);
    let (bad, good): (Vec<Value>, Vec<Value>) =
        lines.into_iter().partition(|line| line["error"].is_string());
    assert_eq!(good.len(), 3);
    for (image, class) in firsts(&good) {
        assert_eq!(image, format!("photos/{class}.jpg"), "answers belong to their images");
    }
    let bad: Vec<String> = bad.iter().map(|line| line["image"].to_string()).collect();
    let names = ["broken.jpg", "empty.png", "text.gif", "missing.jpg"];
    assert_eq!(bad, names.map(|name| format!("\"photos/{name}\"")));
    let answer = lab.run(&format!("{line} --csv"));
    assert_eq!(answer.code, 3);
    assert_eq!(answer.stdout.lines().filter(|l| l.starts_with("photos/empty.png,,,,")).count(), 1);
    let answer = lab.run(&format!("{line} --mosaic sheet.png"));
    assert_eq!(answer.code, 3);
    assert!(answer.stdout.contains("the file is empty"), "{}", answer.stdout);
    assert!(lab.exists("sheet.png"), "the others are on the sheet");
}

#[test]
fn nothing_to_predict_is_an_error() {
    let lab = photos();
    lab.make_folder("void");
    lab.run("predict base void").fails(3, &["no images in `void`", "`png`"], "");
    lab.run("predict base photos/*.png").fails(3, &["no file matches `photos/*.png`"], "");
    lab.run("predict base photos/[").fails(2, &["bad pattern"], "");
    let answer = lab.run("predict base");
    assert_eq!(answer.code, 2);
}

#[test]
fn the_same_preprocessing_serves_training_and_prediction() {
    let lab = trained();
    let line = "predict base datasets/colours/test --json";
    let lines = lab.run(line).good().json_lines();
    let loss = |line: &Value| {
        let image = line["image"].as_str().unwrap();
        let truth = image.split('/').nth_back(1).unwrap();
        let classes = line["classes"].as_array().unwrap();
        let named = classes.iter().find(|class| class["class"] == truth).unwrap();
        -named["probability"].as_f64().unwrap().ln()
    };
    let mean = lines.iter().map(loss).sum::<f64>() / lines.len() as f64;
    let json = lab.run("evaluate base --json").good().json();
    let evaluated = json["scores"]["loss"].as_f64().unwrap();
    assert!((mean - evaluated).abs() < 1e-6 * (1.0 + mean), "{mean} and {evaluated}");
}
