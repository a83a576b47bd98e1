//! `datasets fetch` from files of this machine, and its table.

use sha2::{Digest, Sha256};

use crate::draw::{gzip, idx_split};
use crate::lab::{Answer, Lab};

pub fn sha256(bytes: &[u8]) -> String {
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
pub fn digits() -> Vec<(&'static str, Vec<u8>)> {
    let [images, labels] = idx_split(60, 5).map(|bytes| gzip(&bytes));
    let [test_images, test_labels] = idx_split(20, 5).map(|bytes| gzip(&bytes));
    vec![
        ("train-images-idx3-ubyte.gz", images),
        ("train-labels-idx1-ubyte.gz", labels),
        ("t10k-images-idx3-ubyte.gz", test_images),
        ("t10k-labels-idx1-ubyte.gz", test_labels),
    ]
}

pub const DIGITS: &str = "name = 'digits'\nnames = ['zero', 'one', 'two', 'three', 'four']";

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

#[cfg(not(feature = "fetch"))]
#[test]
fn without_a_network_built_in_the_addresses_are_told() {
    let lab = Lab::new();
    manifest(&lab, "http://127.0.0.1:1", DIGITS, &digits());
    let address = "http://127.0.0.1:1/t10k-images-idx3-ubyte.gz";
    lab.fetch("digits").fails(4, &["cannot download `digits`", address], "--from FOLDER");
    assert!(lab.datasets().is_empty());
    let zip = b"PK".to_vec();
    manifest(&lab, "http://127.0.0.1:1", "name = 'zipped'", &[("set.zip", zip.clone())]);
    lab.write("set.zip", zip);
    lab.fetch("zipped --from set.zip").fails(4, &["is a zip archive"], "cargo build");
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

#[cfg(unix)]
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
    lab.fetch("").fails(2, &["cannot read `sets.toml`"], "--manifest");
    lab.write("sets.toml", "[[set]]\nname = 'x'\nfile = []\n");
    lab.fetch("x").fails(2, &["`x`: it has no file"], "README");
    lab.write("sets.toml", "[[set]]\nname = 'x'\ncolour = 1\n");
    lab.fetch("x").fails(2, &["line 3", "colour"], "README");
    manifest(&lab, "http://127.0.0.1:1", "name = '../x'", &digits());
    lab.fetch("x").fails(2, &["cannot be the name of a folder"], "README");
}
