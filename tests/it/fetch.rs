//! `datasets fetch`, from a small web server in the test that can misbehave.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::draw::{encode, gzip, idx_split, picture};
use crate::lab::{Answer, Lab};

/// How the server answers a request for a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Well,
    /// Sends as many bytes as this, then hangs up.
    Breaks(usize),
    /// Sends all from the start, whatever range was asked for.
    IgnoresRange,
    /// Promises as many bytes as this, and sends all.
    Promises(usize),
    /// Promises nothing and sends the file twice.
    Endless,
    Wrong,
    Status(u16),
    /// Says that the file is at `/moved/<name>`.
    Moved,
    /// Sends as many bytes as this and then nothing, without hanging up.
    Hangs(usize),
}

/// A web server on this machine. A file is answered in the ways planned for it, the last one for
/// ever.
struct Server {
    base: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    files: HashMap<String, Vec<u8>>,
    ways: HashMap<String, Vec<Way>>,
    /// Path and range of every request.
    log: Vec<(String, Option<String>)>,
}

impl Server {
    fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let files = files.iter().map(|(name, data)| ((*name).to_owned(), data.clone())).collect();
        let shared = Arc::new(Mutex::new(Shared { files, ..Shared::default() }));
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&for_thread);
                std::thread::spawn(move || answer(stream, &shared));
            }
        });
        Self { base, shared }
    }

    fn plan(&self, name: &str, ways: &[Way]) {
        self.shared.lock().unwrap().ways.insert(name.to_owned(), ways.to_vec());
    }

    /// The ranges that were asked for, of the requests for a file.
    fn ranges(&self, path: &str) -> Vec<Option<String>> {
        let log = &self.shared.lock().unwrap().log;
        log.iter().filter(|(asked, _)| asked == path).map(|(_, range)| range.clone()).collect()
    }

    fn requests(&self) -> usize {
        self.shared.lock().unwrap().log.len()
    }
}

fn answer(stream: TcpStream, shared: &Mutex<Shared>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    let mut range = None;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("range") {
            range = Some(value.trim().to_owned());
        }
    }
    let name = path.rsplit('/').next()?.to_owned();
    let (data, way) = {
        let mut shared = shared.lock().unwrap();
        shared.log.push((path.clone(), range.clone()));
        let ways = shared.ways.entry(name.clone()).or_default();
        let way = if ways.len() > 1 {
            ways.remove(0)
        } else {
            ways.first().copied().unwrap_or(Way::Well)
        };
        (shared.files.get(&name).cloned(), way)
    };
    let is_moved = path.starts_with("/moved/");
    let (data, way) = match data {
        Some(data) => (data, if is_moved { Way::Well } else { way }),
        None => (Vec::new(), Way::Status(404)),
    };
    send(stream, &name, data, way, range.as_deref());
    Some(())
}

fn send(mut stream: TcpStream, name: &str, data: Vec<u8>, way: Way, range: Option<&str>) {
    let start =
        range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let start: usize = start.filter(|_| way != Way::IgnoresRange).unwrap_or(0);
    let total = data.len();
    let mut body = data[start.min(total)..].to_vec();
    let mut length = Some(body.len());
    let mut status = if start > 0 { "206 Partial Content" } else { "200 OK" }.to_owned();
    let mut extra = String::new();
    if start > 0 {
        extra = format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1);
    }
    match way {
        Way::Well | Way::IgnoresRange => {}
        Way::Breaks(after) | Way::Hangs(after) => body.truncate(after),
        Way::Promises(bytes) => length = Some(bytes),
        Way::Endless => {
            length = None;
            body.extend(data);
        }
        Way::Wrong => body.iter_mut().for_each(|byte| *byte ^= 1),
        Way::Status(code) => {
            (status, body, length) = (format!("{code} Whatever"), Vec::new(), Some(0));
        }
        Way::Moved => {
            (status, body, length) = ("302 Found".to_owned(), Vec::new(), Some(0));
            extra = format!("Location: /moved/{name}\r\n");
        }
    }
    let length = length.map(|bytes| format!("Content-Length: {bytes}\r\n")).unwrap_or_default();
    let head = format!("HTTP/1.1 {status}\r\n{length}{extra}Connection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body);
    let _ = stream.flush();
    if matches!(way, Way::Hangs(_)) {
        std::thread::sleep(Duration::from_secs(20));
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A manifest of one set that is made from `files`.
fn manifest(lab: &Lab, base: &str, set: &str, files: &[(&str, Vec<u8>)]) {
    let mut text = format!("[[set]]\n{set}\n");
    for (name, data) in files {
        text += &format!(
            "[[set.file]]\naddresses = [\"{base}/{name}\"]\nsize = {}\nsha256 = \"{}\"\n",
            data.len(),
            sha256(data)
        );
    }
    lab.write("sets.toml", text);
}

/// The four files of a small set in the form of MNIST.
fn digits() -> Vec<(&'static str, Vec<u8>)> {
    let [images, labels] = idx_split(60, 5).map(|bytes| gzip(&bytes));
    let [test_images, test_labels] = idx_split(20, 5).map(|bytes| gzip(&bytes));
    vec![
        ("train-images-idx3-ubyte.gz", images),
        ("train-labels-idx1-ubyte.gz", labels),
        ("t10k-images-idx3-ubyte.gz", test_images),
        ("t10k-labels-idx1-ubyte.gz", test_labels),
    ]
}

const DIGITS: &str = "name = 'digits'\nnames = ['zero', 'one', 'two', 'three', 'four']";
const FIRST: &str = "train-images-idx3-ubyte.gz";

/// A lab with a server that has `digits`, and the manifest for it.
fn with_digits() -> (Lab, Server) {
    let (lab, files) = (Lab::new(), digits());
    let server = Server::start(&files);
    manifest(&lab, &server.base, DIGITS, &files);
    (lab, server)
}

impl Lab {
    fn fetch(&self, rest: &str) -> Answer {
        let variables = [("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1")];
        self.run_with(&format!("datasets fetch --manifest sets.toml {rest}"), &variables, b"")
    }

    /// The names in `datasets`, hidden ones too.
    fn datasets(&self) -> Vec<String> {
        self.names("datasets")
    }
}

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
fn a_set_is_fetched_and_trained_on() {
    let (lab, server) = with_digits();
    let answer = lab.fetch("digits").good().shows(&["60 train, 20 test images in 5 classes"]);
    assert!(answer.stderr.contains("tinderbox train digits"), "{}", answer.stderr);
    assert!(answer.stderr.contains("downloading train-images-idx3-ubyte.gz"), "{}", answer.stderr);
    assert_eq!(lab.datasets(), ["digits"]);
    assert_eq!(lab.names("datasets/digits").len(), 5);
    assert_eq!(server.requests(), 4);
    let list = lab.run("datasets list --json").good().json();
    let digits = &list["datasets"][0];
    assert_eq!(digits["classes"][1], "one");
    lab.train("digits --model mlp --epochs 1");
    let listed = lab.fetch("--json").good().json();
    assert_eq!(listed["sets"][0]["present"], true);
}

#[test]
fn what_is_there_is_never_touched() {
    let (lab, server) = with_digits();
    lab.write("datasets/digits/mine.txt", "precious");
    lab.fetch("digits").fails(2, &["`datasets/digits` is there already"], "rename it");
    assert_eq!(server.requests(), 0);
    assert_eq!(lab.datasets(), ["digits"]);
    assert_eq!(lab.names("datasets/digits"), ["mine.txt"]);
}

#[test]
fn quiet_says_nothing_and_json_says_it_all() {
    let (lab, _server) = with_digits();
    let answer = lab.fetch("digits -q --json").good();
    assert_eq!(answer.stderr, "");
    let json = answer.json();
    assert_eq!(
        [&json["train"], &json["val"], &json["test"]].map(|n| n.as_u64()),
        [Some(60), Some(0), Some(20)]
    );
    assert_eq!(json["path"], "datasets/digits");
}

#[test]
fn a_broken_transfer_is_continued_where_it_ended() {
    let (lab, server) = with_digits();
    server.plan(FIRST, &[Way::Breaks(1000), Way::Breaks(500), Way::Well]);
    let answer = lab.fetch("digits").good();
    let ranges: Vec<_> = server.ranges(&format!("/{FIRST}"));
    let ranges: Vec<_> = ranges.iter().map(Option::as_deref).collect();
    assert_eq!(ranges, [None, Some("bytes=1000-"), Some("bytes=1500-")]);
    assert!(answer.stderr.contains("once more in 1 s"), "{}", answer.stderr);
}

#[test]
fn a_server_without_ranges_starts_again() {
    let (lab, server) = with_digits();
    server.plan(FIRST, &[Way::Breaks(1000), Way::IgnoresRange]);
    lab.fetch("digits").good();
    assert_eq!(server.ranges(&format!("/{FIRST}")).len(), 2);
}

#[test]
fn a_server_that_lies_about_the_length_does_no_harm() {
    let (lab, server) = with_digits();
    for promised in [10, 10_000_000] {
        server.plan(FIRST, &[Way::Promises(promised)]);
        lab.fetch("digits").fails(4, &[FIRST, "are missing"], "--from");
    }
    server.plan(FIRST, &[Way::Endless]);
    lab.fetch("digits").good();
}

#[test]
fn wrong_bytes_are_thrown_away_and_both_hashes_named() {
    let (lab, server) = with_digits();
    server.plan(FIRST, &[Way::Wrong]);
    let (right, wrong) = {
        let data = &digits()[0].1;
        (sha256(data), sha256(&data.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()))
    };
    lab.fetch("digits").fails(4, &[FIRST, &right, &wrong], "--from");
    assert_eq!(lab.datasets(), [".fetch-digits"]);
    assert!(lab.names("datasets/.fetch-digits/files").is_empty());
    server.plan(FIRST, &[Way::Well]);
    lab.fetch("digits").good();
    assert_eq!(lab.datasets(), ["digits"]);
}

#[test]
fn a_rotten_rest_of_an_earlier_fetch_is_replaced() {
    let (lab, server) = with_digits();
    lab.write(format!("datasets/.fetch-digits/files/{FIRST}.part"), "something else");
    lab.write("datasets/.fetch-digits/tree/left.txt", "left");
    lab.fetch("digits").good();
    assert_eq!(server.ranges(&format!("/{FIRST}")).len(), 2);
    assert!(!lab.exists("datasets/digits/left.txt"));
}

#[test]
fn a_file_that_is_not_there_is_named_with_its_address() {
    let (lab, server) = with_digits();
    server.plan(FIRST, &[Way::Status(404)]);
    let address = format!("{}/{FIRST}", server.base);
    lab.fetch("digits").fails(4, &[&address, "404"], "--from FOLDER");
    assert_eq!(server.requests(), 1);
    assert!(!lab.exists("datasets/digits"));
}

#[test]
fn a_busy_server_is_asked_again_and_a_redirect_followed() {
    let (lab, server) = with_digits();
    server.plan(FIRST, &[Way::Status(503), Way::Moved]);
    lab.fetch("digits").good();
    assert_eq!(server.ranges(&format!("/moved/{FIRST}")).len(), 1);
}

#[test]
fn without_a_network_the_way_around_it_is_told() {
    let lab = Lab::new();
    // A port that nobody listens on any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    manifest(&lab, &format!("http://{gone}"), DIGITS, &digits());
    lab.fetch("digits").fails(4, &["cannot download", "refused"], "--from FOLDER");
}

#[test]
fn a_mirror_is_tried_first_and_not_trusted() {
    let files = digits();
    let (lab, mirror) = (Lab::new(), Server::start(&files));
    let (home, _) = (Server::start(&files), ());
    manifest(&lab, &home.base, DIGITS, &files);
    mirror.plan("t10k-labels-idx1-ubyte.gz", &[Way::Wrong]);
    let variables = [("TINDERBOX_MIRROR", mirror.base.as_str()), ("NO_PROXY", "127.0.0.1")];
    lab.run_with("datasets fetch digits --manifest sets.toml", &variables, b"").good();
    assert_eq!(mirror.ranges(&format!("/digits/{FIRST}")).len(), 1);
    assert_eq!(home.requests(), 1);
    lab.fetch("digits --mirror nowhere").fails(2, &["is there already"], "rename");
    manifest(&lab, &home.base, &DIGITS.replace("digits", "others"), &files);
    lab.fetch("others --mirror nowhere").fails(2, &["`nowhere` is no address"], "https://");
}

#[test]
fn files_of_this_machine_need_no_network() {
    let lab = Lab::new();
    manifest(&lab, "http://127.0.0.1:1", DIGITS, &digits());
    lab.fetch("digits --from nowhere").fails(2, &["no file or folder `nowhere`"], "--from");
    for (name, data) in &digits()[..3] {
        lab.write(format!("down/{name}"), data);
    }
    lab.fetch("digits --from down").fails(
        3,
        &["no `t10k-labels-idx1-ubyte.gz` in `down`"],
        "FOLDER",
    );
    lab.write("down/digits/t10k-labels-idx1-ubyte.gz", "damaged");
    lab.fetch("digits --from down").fails(3, &["it has 7 bytes, not"], "download it again");
    lab.write("down/digits/t10k-labels-idx1-ubyte.gz", &digits()[3].1);
    lab.fetch("digits --from down").good();
    assert_eq!(lab.datasets(), ["digits"]);
    assert_eq!(lab.names("down").len(), 4);
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
    files.iter().for_each(|(name, data)| lab.write(format!("down/{name}"), data));
    let answer = lab.fetch("animals --from down --json").good().json();
    assert_eq!([&answer["train"], &answer["test"]].map(|n| n.as_u64()), [Some(12), Some(4)]);
    assert_eq!(answer["classes"][1], "Great Pyrenees");
}

/// What `datasets fetch` says to an archive, and that nothing of it stays visible.
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
    assert_eq!(lab.datasets(), [".fetch-bad"]);
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
    use std::io::Cursor;

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
    assert_eq!(lab.datasets(), [".fetch-empty"]);
    assert!(!lab.run("datasets list").good().stdout.contains(".fetch"));
}

#[test]
fn a_killed_fetch_is_continued_by_the_next() {
    let (lab, server) = with_digits();
    server.plan(FIRST, &[Way::Hangs(1000), Way::Well]);
    let mut command = lab.program(["datasets", "fetch", "digits", "--manifest", "sets.toml"]);
    command.env("NO_PROXY", "127.0.0.1").stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let part = lab.path(format!("datasets/.fetch-digits/files/{FIRST}.part"));
    for _ in 0..200 {
        if fs::metadata(&part).is_ok_and(|meta| meta.len() == 1000) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let second = lab.fetch("digits");
    second.fails(1, &["`datasets/.fetch-digits` is being fetched by process"], "stop it");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(lab.datasets(), [".fetch-digits"]);
    lab.fetch("digits").good();
    assert_eq!(lab.datasets(), ["digits"]);
    assert_eq!(server.ranges(&format!("/{FIRST}"))[1].as_deref(), Some("bytes=1000-"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_told_apart() {
    use std::os::unix::fs::PermissionsExt;
    let (lab, server) = with_digits();
    let set = |mode: u32| {
        fs::set_permissions(lab.path("datasets"), fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o555);
    // root may write everywhere
    if fs::write(lab.path("datasets/.probe"), "").is_err() {
        lab.fetch("digits").fails(4, &["datasets"], "--datasets DIR");
        assert_eq!(server.requests(), 0);
    }
    set(0o755);
}

#[test]
fn the_known_sets_are_listed_and_offered() {
    let lab = Lab::new();
    lab.run("datasets fetch").good().shows(&["mnist", "cifar-10", "pets", "7,349", "CC BY-SA 4.0"]);
    let sets = lab.run("datasets fetch --json").good().json();
    let sets = sets["sets"].as_array().unwrap();
    let pets = sets.iter().find(|set| set["name"] == "pets").unwrap();
    assert_eq!(pets["bytes"], 791_918_971 + 19_173_078);
    assert_eq!(pets["present"], false);
    assert!(pets["files"][0]["sha256"].as_str().unwrap().len() == 64);
    lab.run("datasets fetch minst").fails(2, &["no data set `minst`"], "`mnist`");
    lab.run("datasets fetch --from x").fails_usage("NAME");
    lab.run("train mnist").fails(3, &["no data set `mnist`"], "`tinderbox datasets fetch mnist`");
    lab.run("train nothing").fails(3, &["no data set `nothing`"], "datasets list");
}

#[test]
fn a_wrong_manifest_is_explained() {
    let lab = Lab::new();
    lab.fetch("").fails(2, &["cannot read `sets.toml`"], "");
    lab.write("sets.toml", "[[set]]\nname = 'x'\nfile = []\n");
    lab.fetch("x").fails(2, &["`x`: it has no file"], "README");
    lab.write("sets.toml", "[[set]]\nname = 'x'\ncolour = 1\n");
    lab.fetch("x").fails(2, &["line 3", "colour"], "README");
    manifest(&lab, "http://127.0.0.1:1", "name = '../x'", &digits());
    lab.fetch("x").fails(2, &["cannot be the name of a folder"], "README");
    assert!(Path::new(&lab.path("datasets")).is_dir());
}
