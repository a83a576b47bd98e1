//! The forms that data sets come in: each trains, and what is wrong with one is named.

use std::fmt::Write as _;
use std::io::Write as _;

use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};
use tinderbox::image::{DecodeSize, Preprocessing, decode, prepare};

use crate::draw::{COLOURS, draw, encode, jpeg, picture, tree};
use crate::lab::Lab;

const TRAIN: &str = "--model mlp --epochs 1 --size 12 --name x --overwrite";

/// `count` pictures of each colour with their class and number.
pub fn pictures(count: usize) -> impl Iterator<Item = (&'static str, usize, Vec<u8>)> {
    (0..count * 3).map(|i| {
        let (class, number) = (i % 3, i / 3);
        (COLOURS[class], number, encode(&picture(class, number, 12, 12), "png"))
    })
}

fn counts(lab: &Lab, dataset: &str) -> (usize, Vec<String>) {
    let answer = lab.run(&format!("datasets check {dataset} --json"));
    let json: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    let classes = json["classes"].as_array().unwrap();
    let names = classes.iter().map(|class| class["class"].as_str().unwrap().to_owned());
    (json["images"].as_u64().unwrap() as usize, names.collect())
}

#[test]
fn a_table_names_paths_and_labels() {
    let lab = Lab::new();
    for (class, number, bytes) in pictures(8) {
        lab.write(format!("datasets/t/images/{class}_{number}.png"), bytes);
    }
    // A byte order mark, the line ends of Windows, quotes, blanks, semicolons, a name without ending.
    let mut text = "\u{feff}file_name;species;person\r\n".to_owned();
    for (class, number, _) in pictures(8) {
        write!(text, "\"{class}_{number}\"; {class} ;p{}\r\n", number / 2).unwrap();
    }
    lab.write("datasets/t/labels.csv", &text);
    lab.train(&format!("t {TRAIN} --group person"));
    assert_eq!(counts(&lab, "t").1, COLOURS);
    let lock = lab.lock("x");
    assert_eq!(lock.len(), 24);
    let split_of = |path: &str| lock.iter().find(|line| line.2.ends_with(path)).unwrap().0.clone();
    assert_eq!(split_of("red_2.png"), split_of("red_3.png"));
    // The table itself, with columns of other names, and splits.
    let mut text = "what,where,when\n".to_owned();
    for (class, number, _) in pictures(8) {
        let split = ["train", "train", "train", "valid", "test"][number % 5];
        writeln!(text, "{class},images/{class}_{number}.png,{split}").unwrap();
    }
    lab.write("datasets/t/other.tsv", text.replace(',', "\t"));
    lab.train(&format!("datasets/t/other.tsv {TRAIN} --columns path=where,label=what,split=when"));
    assert_eq!(lab.lock("x").iter().filter(|line| line.0 == "val").count(), 3);
}

#[test]
fn what_is_wrong_with_a_table_is_named_with_its_line() {
    let lab = Lab::new();
    tree(&lab, "datasets/t/images", 4);
    let table = |text: &str| {
        lab.write("datasets/t/labels.csv", text);
        lab.run(&format!("train t --data-format csv {TRAIN}"))
    };
    table("path,label\nimages/red/000.png\n").fails(3, &["line 2"], "a path and a label");
    table("path,label\nimages/red/000.png,\n").fails(3, &["line 2", "label is empty"], "");
    table("path,label,split\nimages/red/000.png,a,later\n").fails(3, &["`later` is no split"], "");
    table("a,b\nx,y\n").fails(3, &["no column of paths", "labels.csv"], "--columns path=");
    lab.run(&format!("train datasets/t/labels.csv --columns path=q {TRAIN}")).fails(
        2,
        &["`q`"],
        "",
    );
    lab.run(&format!("train t --columns path {TRAIN}")).fails(2, &["`--columns`"], "label=species");
    lab.write("datasets/t/labels.csv", b"path,label\nimages/red/000.png,caf\xe9\n");
    lab.run(&format!("train t --data-format csv {TRAIN}")).fails(3, &["not UTF-8"], "CSV UTF-8");
    // A file that is not there is a sample that does not decode.
    let mut text = "path,label\n".to_owned();
    for class in COLOURS {
        for number in 0..4 {
            writeln!(text, "images/{class}/{number:03}.png,{class}").unwrap();
        }
    }
    let gone = table(&format!("{text}images/red/gone.png,red\n"));
    let said = format!("{}{}", gone.stdout, gone.stderr);
    assert!(said.contains("images/red/gone.png"), "{said}");
}

#[test]
fn an_image_that_a_table_lists_twice_counts_once() {
    let lab = Lab::new();
    tree(&lab, "datasets/t/images", 4);
    let mut text = "path,label,split\n".to_owned();
    for class in COLOURS {
        for number in 0..4 {
            let split = if number == 3 { "val" } else { "train" };
            writeln!(text, "images/{class}/{number:03}.png,{class},{split}").unwrap();
        }
    }
    let train = |more: &str| {
        lab.write("datasets/t/labels.csv", format!("{text}{more}"));
        lab.run(&format!("train t --data-format csv {TRAIN}"))
    };
    train("./images/red/000.png,red,train\nimages/red/000.png,red,train\n").good();
    assert_eq!(lab.lock("x").len(), 12);
    lab.run(&format!("train t --data-format csv {TRAIN} --batch 4 --stop-after 1")).good();
    lab.run("train --resume x").good();
    let hint = "keep one of the lines";
    let name = "`images/red/000.png`";
    train("images/red/000.png,blue,train\n").fails(3, &[name, "`red`", "`blue`"], hint);
    train("images/red/000.png,red,val\n").fails(3, &[name, "`train`", "`val`"], hint);
    text = text.replace(",split\n", ",split,person\n").replace("train\n", "train,ada\n");
    text = text.replace("val\n", "val,ben\n");
    lab.write("datasets/t/labels.csv", format!("{text}images/red/000.png,red,train,carl\n"));
    lab.run(&format!("train t --group person {TRAIN}")).fails(3, &[name, "`ada`", "`carl`"], hint);
}

#[test]
fn columns_that_are_named_mean_a_table() {
    let lab = Lab::new();
    for (class, number, bytes) in pictures(8) {
        lab.write(format!("datasets/t/batch{}/{class}_{number}.png", number % 2), bytes);
    }
    let mut text = "file,kind,patient\n".to_owned();
    for (class, number, _) in pictures(8) {
        let patient = if number < 7 { format!("p{}", number / 2) } else { String::new() };
        writeln!(text, "batch{}/{class}_{number}.png,{class},{patient}", number % 2).unwrap();
    }
    lab.write("datasets/t/data.csv", &text);
    lab.train(&format!("t {TRAIN} --columns path=file,label=kind"));
    assert_eq!(counts(&lab, "t --columns path=file,label=kind").1, COLOURS);
    // A column of patients is known by its name; who has none is a group alone.
    let text = lab.read_text("models/x/dataset.lock");
    let groups = text.lines().skip(2).map(|line| line.split('\t').nth(3).unwrap());
    assert_eq!(groups.clone().filter(|group| *group == "p2").count(), 6);
    assert_eq!(groups.filter(|group| *group == "-").count(), 3);
    let line = format!("train t {TRAIN} --columns path=file,label=nothing");
    lab.run(&line).fails(2, &["no column `nothing`"], "");
    std::fs::remove_dir_all(lab.path("datasets/t/batch1")).unwrap();
    lab.run(&format!("train t {TRAIN}")).fails(3, &["only one class"], "data.csv");
}

#[test]
fn what_is_left_out_is_told() {
    let lab = Lab::new();
    tree(&lab, "datasets/f/train", 6);
    lab.write("datasets/f/train/red/a.HEIC", b"x");
    lab.write("datasets/f/train/red/notes.txt", b"x");
    lab.write("datasets/f/holdout/red/a.png", b"x");
    std::os::unix::fs::symlink("nowhere.png", lab.path("datasets/f/train/red/b.png")).unwrap();
    let seen = lab.run("datasets check f --json").json();
    assert_eq!(
        seen["left_out"],
        serde_json::json!({
            "beside the folders of splits": ["holdout"], "links to nothing": ["train/red/b.png"],
            "of a kind that is not read": ["train/red/a.HEIC"],
        })
    );
    let said = lab.train(&format!("f {TRAIN}")).stderr;
    assert!(said.contains("1 left out, of a kind that is not read: `train/red/a.HEIC`"), "{said}");
    lab.write("datasets/f/TEST/red/a.png", b"x");
    lab.run(&format!("train f {TRAIN}")).fails(
        3,
        &["`datasets/f/TEST` looks like a split"],
        "small",
    );

    let mut entries = Vec::new();
    for (class, number, bytes) in pictures(6) {
        let key = format!("{class}{number}");
        let label = if number == 0 { String::new() } else { class.to_owned() };
        entries.push((format!("{key}.png"), bytes.clone()));
        entries.push((format!("{key}.cls"), label.into_bytes()));
        if number == 1 {
            entries.push((format!("{key}.jpg"), bytes));
        }
    }
    lab.write("datasets/shards/train.tar", archive(&entries));
    let seen = lab.run("datasets check shards --json").json();
    let names = |what: &str| seen["left_out"][what].as_array().unwrap().len();
    assert_eq!(names("without a label"), 3);
    assert_eq!(names("too large, or of a key that has an image"), 3);
}

pub fn archive(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn archives_are_read_where_they_lie() {
    let lab = Lab::new();
    let mut entries = Vec::new();
    for (class, number, bytes) in pictures(6) {
        let key = format!("shard/{class}{number}");
        entries.push((format!("{key}.png"), bytes));
        match number % 2 {
            0 => entries.push((format!("{key}.cls"), class.into())),
            _ => entries.push((format!("{key}.json"), format!("{{\"label\":\"{class}\"}}").into())),
        }
    }
    let plain = archive(&entries);
    lab.write("datasets/w/train-00000.tar", &plain);
    lab.train(&format!("w {TRAIN}"));
    assert_eq!(counts(&lab, "w"), (18, COLOURS.map(str::to_owned).to_vec()));
    let weights = || {
        let model = lab.path("models/x/model.safetensors");
        tinderbox::train::Package::read(&model).unwrap().weights
    };
    let first = weights();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&plain).unwrap();
    for (name, packed) in
        [("gz", gz.finish().unwrap()), ("zst", zstd::encode_all(&plain[..], 1).unwrap())]
    {
        lab.write(format!("datasets/{name}/train-00000.tar.{name}"), packed);
        lab.train(&format!("{name} {TRAIN}"));
        assert!(weights() == first, "{name}");
    }
    // Without labels the folders are the classes; hidden files and other kinds are left out.
    let mut entries: Vec<(String, Vec<u8>)> = pictures(6)
        .map(|(class, number, bytes)| (format!("photos/{class}/{number}.png"), bytes))
        .collect();
    entries.push(("photos/red/.DS_Store".to_owned(), vec![0; 9]));
    entries.push(("photos/red/read.me".to_owned(), vec![0; 9]));
    lab.write("datasets/photos.tar", archive(&entries));
    lab.train(&format!("photos.tar {TRAIN}"));
    assert_eq!(counts(&lab, "photos.tar").0, 18);
    lab.write("datasets/cut.tar", &plain[..plain.len() / 2 + 100]);
    lab.run(&format!("train cut.tar {TRAIN}")).fails(3, &["cut.tar"], "copy it again");
}

#[test]
fn cifars_files_are_read() {
    let lab = Lab::new();
    let record = |class: usize, number: usize, labels: &[u8]| {
        let image = picture(class, number, 32, 32);
        let plane = |c: usize| image.pixels().map(move |pixel| pixel[c]).collect::<Vec<u8>>();
        [labels, &plane(0), &plane(1), &plane(2)].concat()
    };
    let all = |labels: fn(u8) -> Vec<u8>| -> Vec<u8> {
        (0..30).flat_map(|i| record(i % 3, i, &labels((i % 3) as u8))).collect()
    };
    lab.write("datasets/c/cifar-10-batches-bin/batches.meta.txt", "zoo\nyak\nant\n\n");
    lab.write("datasets/c/cifar-10-batches-bin/data_batch_1.bin", all(|label| vec![label]));
    let missing = lab.run(&format!("train c {TRAIN}"));
    missing.fails(3, &["data_batch_2.bin"], "");
    for number in 2..=5 {
        lab.write(
            format!("datasets/c/cifar-10-batches-bin/data_batch_{number}.bin"),
            all(|l| vec![l]),
        );
    }
    lab.train(&format!("c {TRAIN}"));
    assert_eq!(counts(&lab, "c"), (150, ["zoo", "yak", "ant"].map(str::to_owned).to_vec()));
    lab.write("datasets/h/fine_label_names.txt", "a\nb\nc\n");
    lab.write("datasets/h/train.bin", all(|label| vec![9, label]));
    lab.train(&format!("h {TRAIN}"));
    lab.write("datasets/h/train.bin", vec![0; 5000]);
    lab.run(&format!("train h {TRAIN}")).fails(
        3,
        &["no whole number of records"],
        "fetch it again",
    );
}

#[test]
fn jpegs_of_every_kind_are_read_and_turned() {
    let lab = Lab::new();
    tree(&lab, "datasets/j", 4);
    let photo = picture(0, 7, 60, 40);
    let kinds: [(&str, Vec<u8>); 3] = [
        ("progressive", jpeg(&photo, |c| c.set_progressive(true).unwrap())),
        ("grey", jpeg(&photo, |c| c.set_subsamp(turbojpeg::Subsamp::Gray).unwrap())),
        ("full", jpeg(&photo, |c| c.set_subsamp(turbojpeg::Subsamp::None).unwrap())),
    ];
    for (name, bytes) in &kinds {
        lab.write(format!("datasets/j/blue/{name}.jpg"), bytes);
    }
    // EXIF: one entry, orientation 6, which turns the picture by a quarter.
    let mut exif =
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    let mut turned = vec![0xff, 0xd8, 0xff, 0xe1];
    turned.extend(((exif.len() + 2) as u16).to_be_bytes());
    turned.append(&mut exif);
    turned.extend(&kinds[2].1[2..]);
    lab.write("datasets/j/blue/turned.jpg", &turned);
    let json = lab.run("datasets check j --json");
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["bad"].as_array().unwrap().len(), 0, "{}", json["bad"]);
    assert!((json["aspects"][0].as_f64().unwrap() - 40.0 / 60.0).abs() < 1e-9);
    lab.train(&format!("j {TRAIN}"));
}

/// A JPEG is decoded at a fraction of its size where that is twice the network's input: what the
/// network sees is then within 2 of 255 of the whole picture's, on average.
#[test]
fn a_photo_decoded_small_looks_the_same_to_the_network() {
    let to = |side: usize| Preprocessing {
        channels: 3,
        height: side,
        width: side,
        crop: 0.875,
        mean: vec![0.0; 3],
        std: vec![1.0; 3],
    };
    let mut random = 9;
    for _ in 0..3 {
        // As in a photo, neighbours are alike: noise of several scales, the finest the weakest.
        let mut photo = RgbImage::new(904, 608);
        for (scale, strength) in [(100, 0.5), (30, 0.25), (10, 0.15), (2, 0.1)] {
            let noise = RgbImage::from_fn(904 / scale, 608 / scale, |_, _| {
                Rgb([(); 3].map(|()| draw(&mut random, 256) as u8))
            });
            let noise = resize(&noise, 904, 608, FilterType::CatmullRom);
            for (value, more) in photo.iter_mut().zip(noise.iter()) {
                *value += (f64::from(*more) * strength) as u8;
            }
        }
        let photo = jpeg(&photo, |_| {});
        let whole = decode(&photo, DecodeSize::all(3)).unwrap();
        for (side, by) in [(152, 2), (76, 4), (38, 8), (153, 1)] {
            let to = to(side);
            let small = decode(&photo, DecodeSize::input(&to)).unwrap();
            assert_eq!([small.width, small.height], [904 / by, 608 / by], "for {side}");
            let [seen, expected] = [&small, &whole].map(|pixels| prepare(pixels, &to).data);
            let apart = seen.iter().zip(&expected).map(|(&a, &b)| f64::from(a.abs_diff(b)));
            let mean = apart.sum::<f64>() / seen.len() as f64;
            assert!(mean <= 2.0, "{mean:.2} for {side}");
        }
    }
}

/// A Parquet file in the layout of the Hugging Face hub, six pictures of each colour.
#[cfg(feature = "parquet")]
pub fn hub_file() -> Vec<u8> {
    hub_file_with(false, |_, label| label)
}

/// The same, with the columns in either order, and what is said for the label of a row.
#[cfg(feature = "parquet")]
fn hub_file_with(label_first: bool, label: impl Fn(usize, i64) -> i64) -> Vec<u8> {
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    let image = "optional group image { optional binary bytes; optional binary path (STRING); }";
    let (first, second) = if label_first {
        ("optional int64 label;", image)
    } else {
        (image, "optional int64 label;")
    };
    let schema = format!("message schema {{ {first} {second} }}");
    let info =
        r#"{"info":{"features":{"label":{"names":["blue","green","red"],"_type":"ClassLabel"}}}}"#;
    let info = KeyValue::new("huggingface".to_owned(), info.to_owned());
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![info])).build();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let rows: Vec<_> = pictures(6).collect();
    let mut group = writer.next_row_group().unwrap();
    let images: Vec<ByteArray> = rows.iter().map(|row| row.2.clone().into()).collect();
    let names: Vec<ByteArray> =
        rows.iter().map(|row| format!("{}{}.png", row.0, row.1).into_bytes().into()).collect();
    let class = |name| COLOURS.iter().position(|colour| *colour == name).unwrap() as i64;
    let labels: Vec<i64> = (0..).zip(&rows).map(|(i, row)| label(i, class(row.0))).collect();
    let mut texts = [&images, &names].into_iter();
    for place in 0..3 {
        let mut column = group.next_column().unwrap().unwrap();
        if place == if label_first { 0 } else { 2 } {
            let levels = vec![1; rows.len()];
            column.typed::<Int64Type>().write_batch(&labels, Some(&levels), None).unwrap();
        } else {
            let (values, levels) = (texts.next().unwrap(), vec![2; rows.len()]);
            column.typed::<ByteArrayType>().write_batch(values, Some(&levels), None).unwrap();
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_of_the_hub_is_read() {
    let lab = Lab::new();
    let bytes = hub_file();
    lab.write("datasets/p/data/train-00000-of-00001.parquet", &bytes);
    lab.train(&format!("p {TRAIN}"));
    assert_eq!(counts(&lab, "p"), (18, COLOURS.map(str::to_owned).to_vec()));
    for cut in [3, bytes.len() / 3, bytes.len() / 2, bytes.len() - 9] {
        lab.write("datasets/p/data/train-00000-of-00001.parquet", &bytes[..cut]);
        lab.run(&format!("train p {TRAIN}")).fails(3, &["parquet"], "");
    }
    let with = |label: &dyn Fn(usize, i64) -> i64| {
        lab.write("datasets/p/data/train-00000-of-00001.parquet", hub_file_with(true, label));
        lab.run("datasets check p --json")
    };
    assert_eq!(with(&|_, label| label).json()["images"], 18);
    let unknown = with(&|row, label| if row == 4 { -1 } else { label }).json();
    assert_eq!(unknown["classes"].as_array().unwrap().len(), 3);
    let left_out = &unknown["left_out"]["without a label"];
    assert_eq!(left_out.as_array().unwrap().len(), 1, "{left_out}");
    let beyond = with(&|row, label| if row == 4 { 3 } else { label });
    assert!(beyond.stderr.contains("row 4 has the label 3 of 3 names"), "{}", beyond.stderr);
}
