//! What `datasets fetch` makes of archives, honest ones and hostile ones.

use std::fs;

use serde_json::Value;

use crate::draw::{encode, gzip, picture};
use crate::fetch::sets::manifest;
use crate::lab::Lab;

/// A tar.gz of files.
fn tar_gz(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &data[..]).unwrap();
    }
    gzip(&builder.into_inner().unwrap())
}

/// Pictures of two classes below a folder, as entries of an archive.
fn pictures(folder: &str) -> Vec<(String, Vec<u8>)> {
    let names = [(0, "n01"), (2, "n02")];
    let entry = |(class, name): (usize, &str), number: usize| {
        let path = format!("{folder}/{name}/{number}.png");
        (path, encode(&picture(class, number, 12, 12), "png"))
    };
    names.iter().flat_map(|&class| (0..12).map(move |number| entry(class, number))).collect()
}

fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<(&str, Vec<u8>)> {
    files.iter().map(|(name, data)| (name.as_str(), data.clone())).collect()
}

#[test]
fn an_archive_becomes_folders_of_classes() {
    let lab = Lab::new();
    let mut files = pictures("set-160/train");
    files.extend(pictures("set-160/val"));
    files.push(("set-160/noisy.csv".to_owned(), b"path,label\nx,y\n".to_vec()));
    files.push(("other/train/n03/1.png".to_owned(), b"no".to_vec()));
    let archive = tar_gz(&borrowed(&files));
    let set = "name = 'nette'\ninside = 'set-160'\nkeep = ['train/**', 'val/**']\nrename = { n01 = 'French horn', n02 = 'tench' }";
    manifest(&lab, "http://127.0.0.1:1", set, &[("set-160.tgz", archive.clone())]);
    lab.write("down/anything", archive);
    lab.fetch("nette --from down/anything").good().shows(&["24 train, 24 val images in 2 classes"]);
    assert_eq!(lab.names("datasets/nette"), ["train", "val"]);
    assert_eq!(lab.names("datasets/nette/train"), ["French horn", "tench"]);
}

#[test]
fn lists_become_a_table_with_splits() {
    let lab = Lab::new();
    let image = |class: usize, number: usize| encode(&picture(class, number, 12, 12), "jpg");
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut lists = [String::new(), String::new()];
    for number in 0..8 {
        for (class, name) in [(0, "Abyssinian"), (1, "great_pyrenees")] {
            files.push((format!("images/{name}_{number}.jpg"), image(class, number)));
            lists[usize::from(number > 5)] += &format!("{name}_{number} 1 1 1\n");
        }
    }
    let images = tar_gz(&borrowed(&files));
    let [trainval, test] = lists.map(String::into_bytes);
    let notes =
        tar_gz(&[("./annotations/trainval.txt", trainval), ("./annotations/test.txt", test)]);
    let set = "name = 'animals'\nlabels = 'name'\nlists = { 'annotations/trainval.txt' = 'train', 'annotations/test.txt' = 'test' }";
    let files = [("images.tar.gz", images), ("annotations.tar.gz", notes)];
    manifest(&lab, "http://127.0.0.1:1", set, &files);
    for (name, data) in &files {
        lab.write(format!("down/{name}"), data);
    }
    let answer = lab.fetch("animals --from down --json").good().json();
    assert_eq!([&answer["train"], &answer["test"]].map(Value::as_u64), [Some(12), Some(4)]);
    assert_eq!(answer["classes"][1], "Great Pyrenees");
}

/// What `datasets fetch` says to an archive, and that nothing of it stays.
fn refuse(name: &str, archive: Vec<u8>, texts: &[&str]) {
    let lab = Lab::new();
    manifest(
        &lab,
        "http://127.0.0.1:1",
        "name = 'bad'\nunpacked = 1_000_000",
        &[(name, archive.clone())],
    );
    lab.write(format!("down/{name}"), archive);
    let answer = lab.fetch("bad --from down").fails(3, texts, "");
    assert!(!lab.exists("datasets/bad"), "{answer:?}");
    assert_eq!(lab.names(""), ["datasets", "down", "sets.toml"]);
    assert!(lab.datasets().is_empty());
}

/// A tar.gz with one entry of any name, which the builder would not write.
fn tar_with(name: &str, kind: tar::EntryType, link: &str, size: u64, data: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    if !link.is_empty() {
        header.set_link_name_literal(link).unwrap();
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn hostile_tars_write_nothing_outside() {
    let file = tar::EntryType::Regular;
    for name in ["../evil.txt", "a/../../evil.txt", "/evil.txt", "train/../../../evil.txt"] {
        let bytes = tar_with(name, file, "", 4, b"evil");
        refuse("bad.tar.gz", gzip(&bytes), &["leads out of the folder"]);
    }
    // More than the manifest allows, really there or only claimed.
    let zeros = vec![0; 2_000_000];
    refuse("bad.tgz", gzip(&tar_with("big", file, "", 2_000_000, &zeros)), &["more than 1.0 MB"]);
    let claims = tar_with("big", file, "", 1 << 40, b"little");
    refuse("bad.tar", claims, &["cannot unpack"]);
    refuse("bad.tar.gz", b"no archive at all".to_vec(), &["cannot unpack"]);
}

#[test]
fn links_in_tars_are_not_made() {
    let lab = Lab::new();
    lab.write("outside/keep.txt", "old");
    let link = lab.path("outside").display().to_string();
    let mut bytes = tar_with("train", tar::EntryType::Symlink, &link, 0, b"");
    bytes.extend(tar_with("train/keep.txt", tar::EntryType::Regular, "", 3, b"new"));
    bytes.extend(tar_with("hard", tar::EntryType::Link, "/etc/hostname", 0, b""));
    bytes.extend(tar_with("pipe", tar::EntryType::Fifo, "", 0, b""));
    for (name, data) in pictures("train") {
        bytes.extend(tar_with(&name, tar::EntryType::Regular, "", data.len() as u64, &data));
    }
    let archive = gzip(&bytes);
    manifest(&lab, "http://127.0.0.1:1", "name = 'links'", &[("links.tar.gz", archive.clone())]);
    lab.write("links.tar.gz", archive);
    lab.fetch("links --from links.tar.gz").good();
    assert_eq!(lab.read_text("outside/keep.txt"), "old");
    assert_eq!(lab.read_text("datasets/links/train/keep.txt"), "new");
    assert_eq!(lab.names("datasets/links"), ["train"]);
    assert!(fs::symlink_metadata(lab.path("datasets/links/train")).unwrap().is_dir());
}

#[cfg(feature = "fetch")]
mod zips {
    use std::io::{Cursor, Write};

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn archive(fill: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        fill(&mut writer);
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_zip_becomes_folders_of_classes() {
        let lab = Lab::new();
        let zip = archive(|writer| {
            for (name, data) in pictures("train") {
                writer.start_file(name, SimpleFileOptions::default()).unwrap();
                writer.write_all(&data).unwrap();
            }
            writer.add_symlink("train/n03", "/etc", SimpleFileOptions::default()).unwrap();
            writer.start_file("__MACOSX/x.txt", SimpleFileOptions::default()).unwrap();
        });
        manifest(
            &lab,
            "http://127.0.0.1:1",
            "name = 'zipped'\nkeep = ['train/**']",
            &[("set.zip", zip.clone())],
        );
        lab.write("set.zip", zip);
        lab.fetch("zipped --from set.zip").good().shows(&["24 train images in 2 classes"]);
        assert_eq!(lab.names("datasets/zipped/train"), ["n01", "n02"]);
    }

    #[test]
    fn hostile_zips_write_nothing_outside() {
        for name in ["../evil.txt", "a/../../evil.txt", "/evil.txt", "..\\evil.txt"] {
            let zip = archive(|writer| {
                writer.start_file(name, SimpleFileOptions::default()).unwrap();
                writer.write_all(b"evil").unwrap();
            });
            // The writer makes some names harmless; then there is no data set in the archive.
            let has = |bytes: &[u8]| zip.windows(bytes.len()).any(|window| window == bytes);
            let texts: &[&str] = if has(name.as_bytes()) {
                &["leads out of the folder"]
            } else {
                &["is no data set"]
            };
            refuse("bad.zip", zip, texts);
        }
        let bomb = archive(|writer| {
            writer.start_file("big", SimpleFileOptions::default()).unwrap();
            writer.write_all(&vec![0; 3_000_000]).unwrap();
        });
        assert!(bomb.len() < 10_000);
        refuse("bad.zip", bomb, &["more than 1.0 MB"]);
        refuse("bad.zip", b"PK no archive".to_vec(), &["cannot unpack"]);
    }
}

#[test]
fn what_is_no_data_set_does_not_get_its_name() {
    let lab = Lab::new();
    let archive = tar_gz(&[("readme.txt", b"nothing".to_vec())]);
    manifest(&lab, "http://127.0.0.1:1", "name = 'empty'", &[("empty.tar.gz", archive.clone())]);
    lab.write("empty.tar.gz", archive);
    lab.fetch("empty --from empty.tar.gz").fails(3, &["is no data set"], "inside");
    assert!(lab.datasets().is_empty());
}
