//! `datasets fetch`, from a small web server in the test that can misbehave.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::draw::{gzip, idx_split};
use crate::lab::{Answer, Lab};
use crate::web::{Server, Way};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A manifest of one set that is made from `files`.
pub fn manifest(lab: &Lab, base: &str, set: &str, files: &[(&str, Vec<u8>)]) {
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
    pub fn fetch(&self, rest: &str) -> Answer {
        let variables = [("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1")];
        self.run_with(&format!("datasets fetch --manifest sets.toml {rest}"), &variables, b"")
    }

    /// The names in `datasets`, hidden ones too.
    pub fn datasets(&self) -> Vec<String> {
        self.names("datasets")
    }
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
        [&json["train"], &json["val"], &json["test"]].map(Value::as_u64),
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
    let home = Server::start(&files);
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
fn certificates_of_the_environment_are_used_or_refused() {
    let (lab, server) = with_digits();
    lab.write("none.pem", "no certificate");
    let line = "datasets fetch digits --manifest sets.toml";
    for file in ["none.pem", "missing.pem"] {
        let variables = [("SSL_CERT_FILE", file), ("NO_PROXY", "127.0.0.1")];
        lab.run_with(line, &variables, b"").fails(4, &[file, "SSL_CERT_FILE"], "PEM");
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_wrong_manifest_is_explained() {
    let lab = Lab::new();
    lab.fetch("").fails(2, &["cannot read `sets.toml`"], "--manifest");
    lab.write("sets.toml", "[[set]]\nname = 'x'\nfile = []\n");
    lab.fetch("x").fails(2, &["`x`: it has no file"], "README");
    lab.write("sets.toml", "[[set]]\nname = 'x'\ncolour = 1\n");
    lab.fetch("x").fails(2, &["line 3", "colour"], "README");
    manifest(&lab, "http://127.0.0.1:1", "name = '../x'", &digits());
    lab.fetch("x").fails(2, &["cannot be the name of a folder"], "README");
}
