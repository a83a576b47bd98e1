//! `datasets fetch` from a small web server in the test that can misbehave.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::fetch::sets::{DIGITS, digits, manifest, sha256};
use crate::fetch::web::{Server, Way};
use crate::lab::Lab;

const FIRST: &str = "train-images-idx3-ubyte.gz";

/// A lab with a server that has `digits`, and the manifest for it.
fn with_digits() -> (Lab, Server) {
    let (lab, files) = (Lab::new(), digits());
    let server = Server::start(&files);
    manifest(&lab, &server.base, DIGITS, &files);
    (lab, server)
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
    assert!(lab.datasets().is_empty());
    let last = "t10k-labels-idx1-ubyte.gz";
    server.plan(FIRST, &[Way::Well]);
    server.plan(last, &[Way::Wrong]);
    lab.fetch("digits").fails(4, &[last], "--from");
    assert_eq!(lab.datasets(), [".fetch-digits"]);
    assert_eq!(lab.names("datasets/.fetch-digits/files").len(), 3);
    server.plan(last, &[Way::Well]);
    lab.fetch("digits").good();
    assert_eq!(lab.datasets(), ["digits"]);
    assert_eq!(server.ranges(&format!("/{FIRST}")).len(), 2);
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
fn the_proxy_of_the_environment_is_asked_unless_told_otherwise() {
    let (lab, server) = with_digits();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line = "datasets fetch digits --manifest sets.toml";
    let proxy = format!("http://{gone}");
    let variables = [("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", "example.org")];
    lab.run_with(line, &variables, b"").fails(4, &["connection refused"], "HTTPS_PROXY");
    assert_eq!(server.requests(), 0);
    lab.run_with(line, &[variables[0], ("NO_PROXY", "127.0.0.1")], b"").good();
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
