//! Data sets that cannot be used: what is said, and with which exit code.

use crate::draw::{colours, encode, gzip, idx, idx_folder, idx_split, picture, tree};
use crate::lab::{Answer, Lab};

const MLP: &str = "--model mlp --epochs 1 --threads 1";

fn train(lab: &Lab, rest: &str) -> Answer {
    let answer = lab.run(&format!("train {rest} {MLP}"));
    if answer.code != 0 {
        assert_eq!(lab.names("models"), Vec::<String>::new(), "a refused run leaves no folder");
    }
    answer
}

#[test]
fn a_missing_data_set_says_where_it_was_looked_for_and_what_is_there() {
    let lab = colours();
    train(&lab, "colors").fails(
        3,
        &["no data set `colors` in `datasets`", "`colours`", "`fashion-mnist-mini`"],
        "did you mean `colours`?",
    );
    train(&lab, "imagenet").fails(3, &["`imagenet`", "`colours`"], "`--datasets DIR`");
    train(&lab, "x --datasets nowhere").fails(
        3,
        &["no data set `x` in `nowhere`", "there is no folder `nowhere`", "`fashion-mnist-mini`"],
        "TINDERBOX_DATASETS",
    );
    train(&lab, "fashion-mnist").fails(
        3,
        &["`fashion-mnist`"],
        "`tinderbox datasets fetch fashion-mnist` gets it",
    );
}

#[test]
fn a_file_is_no_data_set() {
    let lab = Lab::new();
    lab.write("photo.png", encode(&picture(0, 0, 12, 12), "png"));
    train(&lab, "photo.png").fails(3, &["`photo.png` is a file"], "a data set is a folder");
}

#[test]
fn an_empty_class_folder_is_named() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 4);
    lab.make_folder("datasets/d/violet");
    lab.write("datasets/d/violet/readme.txt", "soon");
    train(&lab, "d").fails(
        3,
        &["no images in the class folder `datasets/d/violet`", "`jpg`", "`png`"],
        "add images to it or remove the folder",
    );
}

#[test]
fn an_empty_class_folder_is_left_out_and_said() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 4);
    lab.make_folder("datasets/d/violet/later");
    let answer = train(&lab, "d").good();
    assert!(answer.stderr.contains("1 class folder is empty and left out: `violet`"), "{answer:?}");
    assert!(answer.stderr.contains("3 classes"), "{answer:?}");
    lab.run("datasets check d").shows(&["1 class folder is empty"]);
}

#[test]
fn an_empty_folder_is_no_data_set() {
    let lab = Lab::new();
    lab.make_folder("datasets/d");
    train(&lab, "d").fails(3, &["no class folders in `datasets/d`"], "folder of the class's name");
    lab.write("datasets/d/1.png", encode(&picture(0, 0, 12, 12), "png"));
    train(&lab, "d").fails(3, &["it holds `1.png`"], "folder of the class's name");
}

#[test]
fn one_class_only_is_not_enough() {
    let lab = Lab::new();
    for number in 0..4 {
        let bytes = encode(&picture(0, number, 12, 12), "png");
        lab.write(format!("datasets/d/cats/{number}.png"), bytes);
    }
    train(&lab, "d").fails(3, &["only one class", "`cats`"], "two classes or more");
    let [images, _] = idx_split(20, 5);
    lab.write("datasets/i/train-images-idx3-ubyte", images);
    lab.write("datasets/i/train-labels-idx1-ubyte", idx(&[20], &[0; 20]));
    train(&lab, "i").fails(3, &["only one class"], "two classes or more");
}

#[test]
fn a_class_that_training_does_not_have_is_named() {
    let lab = colours();
    lab.write("datasets/colours/val/violet/1.png", encode(&picture(0, 1, 12, 12), "png"));
    let answer = train(&lab, "colours");
    assert_eq!(answer.code, 3);
    for text in ["`violet`", "datasets/colours/val", "`blue`, `green`, `red`"] {
        assert!(answer.stderr.contains(text), "{}", answer.stderr);
    }
}

#[test]
fn a_class_of_one_image_each_is_too_small() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 1);
    train(&lab, "d").fails(3, &["`d` is too small to validate"], "add images");
}

#[test]
fn a_truncated_idx_file_says_where_it_ends() {
    let lab = Lab::new();
    idx_folder(&lab, "d");
    let name = "datasets/d/train-images-idx3-ubyte";
    let whole = lab.read(name);
    lab.write(name, &whole[..2016]);
    train(&lab, "d").fails(
        3,
        &["cannot read `datasets/d/train-images-idx3-ubyte`", "it ends after 2,000 of 6,000 bytes"],
        "fetch the file again",
    );
    for end in [0, 3, 7, 15] {
        lab.write(name, &whole[..end]); // within the header
        train(&lab, "d").fails(3, &[name, "ends"], "fetch the file again");
    }
    lab.write(name, [whole.as_slice(), b"more"].concat());
    train(&lab, "d").fails(3, &[name, "longer than the 6,000 bytes"], "fetch the file again");
}

#[test]
fn a_truncated_gzip_file_is_refused() {
    let lab = Lab::new();
    let [images, labels] = idx_split(60, 5);
    let packed = gzip(&images);
    lab.write("datasets/d/train-images-idx3-ubyte.gz", &packed[..packed.len() / 2]);
    lab.write("datasets/d/train-labels-idx1-ubyte.gz", gzip(&labels));
    let name = "datasets/d/train-images-idx3-ubyte.gz";
    train(&lab, "d").fails(3, &[name], "fetch the file again");
    lab.write(name, &images); // named .gz, but plain
    train(&lab, "d").fails(3, &[name], "fetch the file again");
}

#[test]
fn a_mislabelled_idx_file_says_what_it_starts_with() {
    let lab = Lab::new();
    idx_folder(&lab, "d");
    let labels = lab.read("datasets/d/train-labels-idx1-ubyte");
    lab.write("datasets/d/train-images-idx3-ubyte", labels);
    train(&lab, "d").fails(
        3,
        &["train-images-idx3-ubyte", "it starts with 0x00000801, not 0x00000803"],
        "00 00 08",
    );
    lab.write("datasets/d/train-images-idx3-ubyte", "<html>404 not found</html>");
    train(&lab, "d").fails(3, &["train-images-idx3-ubyte", "0x3c68746d"], "fetch the file again");
}

#[test]
fn a_header_that_claims_the_world_allocates_nothing() {
    let lab = Lab::new();
    idx_folder(&lab, "d");
    lab.write("datasets/d/train-images-idx3-ubyte", idx(&[u32::MAX; 3], b"few"));
    train(&lab, "d").fails(3, &["train-images-idx3-ubyte", "4294967295"], "fetch the file again");
    lab.write("datasets/d/train-images-idx3-ubyte", idx(&[100_000, 100, 100], b"few"));
    train(&lab, "d").fails(3, &["it ends after 3 of 1,000,000,000 bytes"], "fetch the file again");
    lab.write("datasets/d/train-images-idx3-ubyte", idx(&[0, 10, 10], b""));
    train(&lab, "d").fails(3, &["train-images-idx3-ubyte"], "fetch the file again");
}

#[test]
fn image_and_label_counts_that_differ_are_told() {
    let lab = Lab::new();
    idx_folder(&lab, "d");
    let [_, labels] = idx_split(59, 5);
    lab.write("datasets/d/train-labels-idx1-ubyte", labels);
    train(&lab, "d").fails(
        3,
        &["train-images-idx3-ubyte` holds 60 images", "train-labels-idx1-ubyte` 59 labels"],
        "do not belong together",
    );
}

#[test]
fn an_idx_file_without_its_sibling_names_it() {
    let lab = Lab::new();
    idx_folder(&lab, "d");
    std::fs::remove_file(lab.path("datasets/d/train-labels-idx1-ubyte")).unwrap();
    train(&lab, "d").fails(3, &["no file `train-labels-idx1-ubyte` in `datasets/d`"], "two files");
    let lab = Lab::new();
    idx_folder(&lab, "d");
    for part in ["images-idx3", "labels-idx1"] {
        std::fs::remove_file(lab.path(format!("datasets/d/train-{part}-ubyte"))).unwrap();
    }
    train(&lab, "d").fails(3, &["no training images in `datasets/d`"], "train-images-idx3-ubyte");
}

#[test]
fn a_label_that_no_training_image_has_is_named() {
    let lab = Lab::new();
    idx_folder(&lab, "d");
    lab.write("datasets/d/t10k-labels-idx1-ubyte", idx(&[20], &[9; 20]));
    let answer = train(&lab, "d");
    assert_eq!(answer.code, 3);
    assert!(answer.stderr.contains("t10k-labels-idx1-ubyte` has the label 9"), "{}", answer.stderr);
}

#[test]
fn a_batch_larger_than_the_data_is_refused_when_asked_for_and_cut_when_not() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 6);
    train(&lab, "d --batch 100").fails(
        2,
        &["`--batch 100` is larger than the 12 training images"],
        "`--batch 12` or less",
    );
    train(&lab, "d --name x").good(); // the default is 64
    assert_eq!(lab.events("x")[0]["steps"], 1);
}
