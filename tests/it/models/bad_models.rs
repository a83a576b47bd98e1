//! Model files that cannot be used.

use serde_json::Value;
use tinderbox::nn::io::{decode, encode as encode_file};

use crate::draw::{encode, picture, trained, tree_from};
use crate::lab::Lab;

const MODEL: &str = "models/base/model.safetensors";

/// Each verb that reads a model refuses it alike.
fn refused(lab: &Lab, texts: &[&str]) {
    for line in [
        "evaluate base",
        "predict base datasets/colours/test",
        "runs show base",
        "predict models/base/model.safetensors datasets/colours/test/red/015.png",
    ] {
        let answer = lab.run(line);
        assert_eq!(answer.code, 3, "{line}\n{}", answer.stderr);
        assert!(answer.stderr.contains(&format!("cannot use `{MODEL}`")), "{}", answer.stderr);
        for text in texts {
            assert!(answer.stderr.contains(text), "{line}: no `{text}` in\n{}", answer.stderr);
        }
        assert_eq!(answer.stdout, "", "{line}");
    }
}

/// Replaces text in the header with text of the same length.
fn edit(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let place = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let place = place.unwrap_or_else(|| panic!("no `{from}` in the header"));
    let mut edited = bytes.to_vec();
    edited[place..place + to.len()].copy_from_slice(to.as_bytes());
    edited
}

#[test]
fn a_truncated_model_file_is_refused_wherever_it_ends() {
    let lab = trained();
    let whole = lab.read(MODEL);
    for end in [0, 5, 100, whole.len() / 2, whole.len() - 1] {
        lab.write(MODEL, &whole[..end]);
        refused(&lab, &["not a model of tinderbox"]);
    }
}

#[test]
fn a_model_of_another_version_is_refused_with_both_versions() {
    let lab = trained();
    let bytes = edit(&lab.read(MODEL), "\"tinderbox.format\":\"1\"", "\"tinderbox.format\":\"7\"");
    lab.write(MODEL, bytes);
    refused(&lab, &["format 7", "formats 1 and 2"]);
    lab.run("evaluate base").fails(3, &["it has format 7"], "version of tinderbox");
}

#[test]
fn a_safetensors_file_of_another_program_is_refused() {
    let lab = trained();
    let data = [0u8; 8];
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2], &data);
    let bytes = safetensors::serialize([("weight", view.unwrap())], None).unwrap();
    lab.write(MODEL, bytes);
    refused(&lab, &["safetensors file of another program"]);
}

#[test]
fn a_checkpoint_is_no_model() {
    let lab = trained();
    lab.write(MODEL, lab.read("models/base/checkpoint.safetensors"));
    refused(&lab, &["it is a checkpoint, not a model"]);
}

#[test]
fn a_model_whose_weights_were_changed_is_refused() {
    let lab = trained();
    let mut bytes = lab.read(MODEL);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    lab.write(MODEL, bytes);
    refused(&lab, &["does not match its BLAKE3"]);
}

#[test]
fn a_model_for_another_number_of_channels_is_refused() {
    let lab = trained();
    // A file in which the images have one channel and the network takes three.
    let bytes = lab.read(MODEL);
    let mut file = decode(&bytes).unwrap();
    let mut how: Value = serde_json::from_str(&file.metadata["preprocessing"]).unwrap();
    how["channels"] = 1.into();
    how["mean"] = serde_json::json!([0.5]);
    how["std"] = serde_json::json!([0.25]);
    file.metadata.insert("preprocessing".to_owned(), how.to_string());
    lab.write(MODEL, encode_file(&file));
    let fails =
        |line: &str| lab.run(line).fails(3, &["cannot use `models/base/model", "channel"], "");
    fails("evaluate base");
    fails("predict base datasets/colours/test");
}

#[test]
fn a_grey_model_answers_to_pictures_in_colour() {
    let lab = trained();
    lab.train("colours --model mlp --epochs 2 --channels 1 --name grey");
    let json = lab.run("evaluate grey --json").good().json();
    assert_eq!(json["scores"]["images"], 9);
    lab.run("predict grey datasets/colours/test").good();
}

#[test]
fn a_run_that_is_not_there_is_told_with_what_is() {
    let lab = trained();
    for line in ["evaluate bas", "predict bas x.png", "runs show bas"] {
        lab.run(line).fails(3, &["no run `bas` in `models`", "`base`"], "did you mean `base`?");
    }
    lab.run("evaluate nothing-like-it").fails(3, &["`base`"], "`tinderbox runs list`");
    lab.make_folder("models/empty");
    lab.run("evaluate empty").fails(
        3,
        &["no `model.safetensors` in `models/empty`"],
        "has not finished its first epoch",
    );
}

#[test]
fn a_picture_is_no_model() {
    let lab = trained();
    lab.write("photo.png", encode(&picture(0, 0, 12, 12), "png"));
    let answer = lab.run("predict photo.png photo.png");
    assert_eq!(answer.code, 3);
    assert!(answer.stderr.contains("cannot use `photo.png`"), "{}", answer.stderr);
}

#[test]
fn a_header_that_claims_the_world_is_refused() {
    let lab = trained();
    let mut bytes = u64::MAX.to_le_bytes().to_vec();
    bytes.extend(b"{}");
    lab.write(MODEL, bytes);
    refused(&lab, &["not a model of tinderbox"]);
    tree_from(&lab, "fresh", 0..2);
    let text = r#"{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#;
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes.extend([0; 4]);
    lab.write(MODEL, bytes);
    refused(&lab, &["not a model of tinderbox"]);
}
