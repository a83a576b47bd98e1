//! From what the archives hold to a form that is read as a data set: names of classes, a table made
//! from lists of images, images turned upright.

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use tinderbox_base::{Error, Result, files};

use crate::{Labels, Set};

/// A list of images is not larger.
const MOST_BYTES: u64 = 256 << 20;

/// Turns what was unpacked into `tree` into a data set.
///
/// # Errors
/// If something that the set promises is not there, or cannot be written.
pub(super) fn arrange(set: &Set, tree: &Path) -> Result<()> {
    if !set.names.is_empty() {
        let text = set.names.iter().fold(String::new(), |text, name| text + name + "\n");
        files::replace(&tree.join("classes.txt"), text.as_bytes())?;
    }
    if set.transpose {
        for path in files::list(tree)?.iter().filter(|path| is_idx_images(path)) {
            transpose(path)?;
        }
    }
    if !set.lists.is_empty() {
        let mut table = csv::Writer::from_writer(Vec::new());
        write_row(&mut table, ["path", "label", "split"])?;
        for (list, split) in &set.lists {
            let path = tree.join(list);
            let text = String::from_utf8(files::read_at_most(&path, MOST_BYTES)?)
                .map_err(|_| broken(&path, "it is not UTF-8".to_owned()))?;
            for (number, line) in text.lines().enumerate() {
                let Some(row) = row(line, set.labels) else { continue };
                let (image, label) =
                    row.map_err(|cause| broken(&path, format!("line {}: {cause}", number + 1)))?;
                write_row(&mut table, [&image, &label, split])?;
            }
        }
        let failed = |cause: String| Error::failed("cannot write a table").cause(cause);
        let bytes = table.into_inner().map_err(|cause| failed(cause.to_string()))?;
        files::replace(&tree.join("labels.csv"), &bytes)?;
    }
    Ok(())
}

fn broken(path: &Path, cause: String) -> Error {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Error::input(format!("cannot use the list `{name}` of the data set"))
        .cause(cause)
        .hint("a line is the path of an image below `images`, without its `.jpg`")
}

fn write_row<S: AsRef<[u8]>>(table: &mut csv::Writer<Vec<u8>>, row: [S; 3]) -> Result<()> {
    let failed = |cause: csv::Error| Error::failed("cannot write a table").cause(cause);
    table.write_record(row).map_err(failed)
}

/// The path and the class of the image that a line names; none of a line that names none.
fn row(line: &str, labels: Labels) -> Option<std::result::Result<(String, String), String>> {
    let image = line.split_whitespace().next()?;
    if image.starts_with('#') {
        return None;
    }
    let label = match labels {
        Labels::Folder => image.rsplit_once('/').map(|(folder, _)| folder.to_owned()),
        Labels::Name => image.rsplit_once('_').map(|(name, _)| title(name)),
    };
    let label = label.filter(|label| !label.is_empty());
    Some(match label {
        Some(label) => Ok((format!("images/{image}.jpg"), label)),
        None => Err(format!("`{image}` does not say its class")),
    })
}

/// `great_pyrenees` as `Great Pyrenees`.
fn title(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect::<String>()
        })
    });
    words.collect::<Vec<_>>().join(" ")
}

fn is_idx_images(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("-images-idx3-ubyte.gz"))
}

/// Swaps rows and columns of every image of a gzipped IDX file.
fn transpose(path: &Path) -> Result<()> {
    let bad = |cause: String| {
        Error::input(format!("cannot turn the images of `{}`", path.display()))
            .cause(cause)
            .hint("the file is damaged: fetch it again")
    };
    let read_error = |cause: std::io::Error| bad(files::describe(&cause));
    let mut source = flate2::read::MultiGzDecoder::new(BufReader::new(files::open(path)?));
    let mut head = [0; 16];
    source.read_exact(&mut head).map_err(read_error)?;
    let word = |at: usize| head[at..at + 4].iter().fold(0, |n, &byte| n << 8 | usize::from(byte));
    let (count, height, width) = (word(4), word(8), word(12));
    if word(0) != 0x0803 || height != width || !(1..=1024).contains(&height) {
        return Err(bad("it is no IDX file of square images".to_owned()));
    }
    let turned: PathBuf = path.with_extension("turned");
    let write_error = |cause: std::io::Error| files::write_error(&turned, &cause);
    let target = std::io::BufWriter::new(files::create(&turned)?);
    let mut target = flate2::write::GzEncoder::new(target, flate2::Compression::fast());
    target.write_all(&head).map_err(write_error)?;
    let mut image = vec![0; height * width];
    let mut upright = vec![0; height * width];
    for _ in 0..count {
        source.read_exact(&mut image).map_err(read_error)?;
        for (row, pixels) in upright.chunks_exact_mut(width).enumerate() {
            for (column, pixel) in pixels.iter_mut().enumerate() {
                *pixel = image[column * width + row];
            }
        }
        target.write_all(&upright).map_err(write_error)?;
    }
    target.finish().and_then(|mut target| target.flush()).map_err(write_error)?;
    files::rename(&turned, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sets;

    fn known(name: &str) -> Set {
        sets(None).unwrap().into_iter().find(|set| set.name == name).unwrap()
    }

    fn write(tree: &Path, below: &str, data: &[u8]) {
        let path = tree.join(below);
        files::make_folder(path.parent().unwrap()).unwrap();
        files::replace(&path, data).unwrap();
    }

    #[test]
    fn the_lists_of_pets_become_a_table() {
        let tree = tempfile::tempdir().unwrap();
        let trainval =
            b"#Image CLASS-ID SPECIES BREED ID\nAbyssinian_100 1 1 1\ngreat_pyrenees_27 16 2 9\n";
        write(tree.path(), "annotations/trainval.txt", trainval);
        write(tree.path(), "annotations/test.txt", b"Abyssinian_201 1 1 1\n\n");
        arrange(&known("pets"), tree.path()).unwrap();
        let table = files::read_text(&tree.path().join("labels.csv")).unwrap();
        assert_eq!(
            table,
            "path,label,split\n\
             images/Abyssinian_201.jpg,Abyssinian,test\n\
             images/Abyssinian_100.jpg,Abyssinian,train\n\
             images/great_pyrenees_27.jpg,Great Pyrenees,train\n"
        );
    }

    #[test]
    fn the_lists_of_food_name_the_class_by_the_folder() {
        let tree = tempfile::tempdir().unwrap();
        write(tree.path(), "meta/train.txt", b"apple_pie/1005649\r\nbeet_salad/7\r\n");
        write(tree.path(), "meta/test.txt", b"apple_pie/1011328\n");
        arrange(&known("food-101"), tree.path()).unwrap();
        let table = files::read_text(&tree.path().join("labels.csv")).unwrap();
        assert!(table.contains("images/apple_pie/1005649.jpg,apple_pie,train\n"), "{table}");
        assert!(table.contains("images/apple_pie/1011328.jpg,apple_pie,test\n"), "{table}");
    }

    #[test]
    fn a_line_without_a_class_is_named() {
        let tree = tempfile::tempdir().unwrap();
        write(tree.path(), "meta/train.txt", b"apple_pie/1\nnothing\n");
        write(tree.path(), "meta/test.txt", b"apple_pie/2\n");
        let error = arrange(&known("food-101"), tree.path()).unwrap_err();
        assert_eq!(error.cause.unwrap(), "line 2: `nothing` does not say its class");
        let tree = tempfile::tempdir().unwrap();
        arrange(&known("food-101"), tree.path()).unwrap_err();
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_images_of_emnist_are_turned_and_its_classes_named() {
        let tree = tempfile::tempdir().unwrap();
        let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        write(tree.path(), "emnist-letters-train-images-idx3-ubyte.gz", &gzip(&images));
        write(tree.path(), "emnist-letters-train-labels-idx1-ubyte.gz", b"untouched");
        arrange(&known("emnist-letters"), tree.path()).unwrap();
        let bytes =
            files::read(&tree.path().join("emnist-letters-train-images-idx3-ubyte.gz")).unwrap();
        let mut turned = Vec::new();
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut turned).unwrap();
        assert_eq!(turned[..16], images[..16]);
        assert_eq!(turned[16..], [1, 3, 2, 4, 5, 7, 6, 8]);
        let labels = tree.path().join("emnist-letters-train-labels-idx1-ubyte.gz");
        assert_eq!(files::read(&labels).unwrap(), b"untouched");
        let classes = files::read_text(&tree.path().join("classes.txt")).unwrap();
        assert_eq!(classes.lines().nth(1), Some("A"));
        assert_eq!(classes.lines().count(), 27);
        assert_eq!(files::list(tree.path()).unwrap().len(), 3);
    }

    #[test]
    fn images_that_end_too_early_are_refused() {
        let tree = tempfile::tempdir().unwrap();
        let images = [0, 0, 8, 3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4];
        write(tree.path(), "emnist-digits-train-images-idx3-ubyte.gz", &gzip(&images));
        arrange(&known("emnist-digits"), tree.path()).unwrap_err();
    }
}
