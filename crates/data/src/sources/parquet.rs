//! Parquet in the layout of the Hugging Face hub: a column of images (a group with the bytes of a
//! file and its name, or the bytes alone) and one of labels, whose names the schema's metadata
//! tells. The bytes are copied out once, since a page must be unpacked to get at any row in it.

use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::Type as Physical;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::{Field, Row};
use ::parquet::schema::types::Type;
use tinderbox_base::units::{list, plural};
use tinderbox_base::{Error, Result, files};

use super::{Builder, UNLABELLED, name_numbers, parts, split_named};
use crate::archive::Spool;
use crate::dataset::{Dataset, Sample, Source};
use crate::{Format, Reading};

const IMAGES: &[&str] = &["image", "img", "images", "picture", "photo", "bytes", "jpg", "png"];
/// What `datasets` of Hugging Face writes where a label is not known.
const NO_LABEL: &str = "-1";
const LABELS: &[&str] = &["label", "labels", "fine_label", "class", "category", "target", "cls"];

/// Reads all files of a folder, or one.
pub(super) fn open(path: &Path, how: &Reading) -> Result<Dataset> {
    let found = parts(path, Format::Parquet)?;
    if found.is_empty() {
        return Err(Error::input(format!("no Parquet files in `{}`", path.display())).hint(
            "`train-00000-of-00001.parquet` and its siblings are looked for, here and in `data`",
        ));
    }
    let mut builder = Builder::default();
    let mut names = Vec::new();
    for file in &found {
        // A damaged file can make the library panic.
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            read(file, how, &mut builder)
        }));
        let found = read.unwrap_or_else(|_| Err(damaged(file, "its pages make no sense")))?;
        if names.is_empty() {
            names = found;
        }
    }
    let mut dataset = builder.finish(path)?;
    name_numbers(&mut dataset.classes, &names);
    Ok(dataset)
}

fn unreadable(path: &Path, cause: impl std::fmt::Display) -> Error {
    Error::input(format!("cannot read `{}`", path.display())).cause(cause.to_string())
}

fn damaged(path: &Path, cause: impl std::fmt::Display) -> Error {
    unreadable(path, cause).hint("the file may be cut off or damaged: copy it again")
}

/// The samples of one file; answers the names of the classes.
fn read(path: &Path, how: &Reading, builder: &mut Builder) -> Result<Vec<String>> {
    let bad = |cause: ParquetError| match cause {
        // What its features name is a way to pack pages.
        ParquetError::General(text) if text.contains("feature") => unreadable(path, text)
            .hint("write it again, packed with snappy, zstd or gzip, or not packed"),
        cause => damaged(path, cause),
    };
    let reader = SerializedFileReader::new(files::open(path)?).map_err(bad)?;
    let meta = reader.metadata().file_metadata();
    let schema = meta.schema();
    let columns: Vec<&Arc<Type>> = schema.get_fields().iter().collect();
    let find = |what: &str, known: &[&str], fits: fn(&Type) -> bool| {
        let asked = how.column(what);
        let is = |name: &&str| columns.iter().find(|column| column.name() == *name && fits(column));
        let found = match asked {
            Some(name) => is(&name),
            None => known.iter().find_map(is),
        };
        found.map(|column| Arc::clone(column)).ok_or_else(|| {
            let names: Vec<String> = columns.iter().map(|c| c.name().to_owned()).collect();
            Error::input(format!("no column of {what}s in `{}`", path.display()))
                .cause(format!("its columns are {}", list(&names, 12)))
                .hint(format!("`--columns {what}=NAME` says which it is"))
        })
    };
    let image = find("path", IMAGES, holds_bytes)?;
    let label = find("label", LABELS, Type::is_primitive)?;
    let names = meta
        .key_value_metadata()
        .and_then(|pairs| pairs.iter().find(|pair| pair.key == "huggingface")?.value.as_deref())
        .map_or_else(Vec::new, |text| class_names(text, label.name()));
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let layout =
        Layout { path, file: &file, image: image.name(), label: label.name(), names: &names };
    let projection = Type::group_type_builder(schema.name())
        .with_fields(vec![Arc::clone(&image), Arc::clone(&label)])
        .build()
        .map_err(bad)?;
    let split = split_named(&file);
    let mut spool = Spool::new(path);
    let mut rows = Vec::new();
    for (index, row) in reader.get_row_iter(Some(projection)).map_err(bad)?.enumerate() {
        match layout.find(index, &row.map_err(bad)?)? {
            Found::Sample { key, label, bytes } => {
                let offset = spool.add(bytes)?;
                rows.push((key, builder.class(&label), offset, bytes.len() as u64));
            }
            Found::LeftOut(what, key) => builder.leave_out(what, key),
        }
    }
    let archive = Arc::new(spool.finish());
    for (key, label, offset, len) in rows {
        let source = Source::Part(Arc::clone(&archive), offset, len);
        builder.push(split, Sample { key: key.into(), label: label.into(), group: None, source });
    }
    Ok(names)
}

/// What is where in the rows of a file.
struct Layout<'a> {
    path: &'a Path,
    file: &'a str,
    /// The column of images, and that of labels.
    image: &'a str,
    label: &'a str,
    /// The names of classes by number; none where the labels are the names.
    names: &'a [String],
}

/// What a row is.
enum Found<'a> {
    Sample { key: String, label: String, bytes: &'a [u8] },
    LeftOut(&'static str, String),
}

impl Layout<'_> {
    fn find<'a>(&self, index: usize, row: &'a Row) -> Result<Found<'a>> {
        let Self { path, file, names, .. } = *self;
        let column = |wanted: &str| {
            row.get_column_iter().find(|(name, _)| *name == wanted).map(|(_, field)| field)
        };
        let Some((bytes, name)) = column(self.image).and_then(image_of) else {
            return Ok(Found::LeftOut("without an image", format!("{file}#{index}")));
        };
        let key = match name {
            Some(name) => format!("{file}#{index}/{name}"),
            None => format!("{file}#{index}"),
        };
        let label = column(self.label).map_or(Ok(None), label_of).map_err(|cause| {
            unreadable(path, format!("the label of row {index} is {cause}"))
                .hint("`--columns label=NAME` names another column")
        })?;
        let Some(label) = label.filter(|label| names.is_empty() || label != NO_LABEL) else {
            return Ok(Found::LeftOut(UNLABELLED, key));
        };
        if label.parse::<usize>().is_ok_and(|number| !names.is_empty() && number >= names.len()) {
            let count = plural(names.len(), "name", "names");
            return Err(unreadable(path, format!("row {index} has the label {label} of {count}"))
                .hint("every label needs a name in the file's own list of classes"));
        }
        Ok(Found::Sample { key, label, bytes })
    }
}

/// Whether a column is bytes, or a group with bytes in it.
fn holds_bytes(column: &Type) -> bool {
    if column.is_primitive() {
        return column.get_physical_type() == Physical::BYTE_ARRAY;
    }
    column.get_fields().iter().any(|field| {
        field.name() == "bytes"
            && field.is_primitive()
            && field.get_physical_type() == Physical::BYTE_ARRAY
    })
}

/// An image's bytes and its name; none where there is none.
fn image_of(field: &Field) -> Option<(&[u8], Option<&str>)> {
    match field {
        Field::Bytes(bytes) => Some((bytes.data(), None)),
        Field::Group(group) => {
            let field = |wanted: &str| {
                group.get_column_iter().find(|(name, _)| *name == wanted).map(|(_, field)| field)
            };
            let name = match field("path") {
                Some(Field::Str(name)) => Some(name.as_str()),
                _ => None,
            };
            match field("bytes") {
                Some(Field::Bytes(bytes)) => Some((bytes.data(), name)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A label; none where there is none.
///
/// # Errors
/// What it is instead.
fn label_of(field: &Field) -> std::result::Result<Option<String>, &'static str> {
    Ok(Some(match field {
        Field::Null => return Ok(None),
        Field::Str(text) => text.clone(),
        Field::Bytes(text) => std::str::from_utf8(text.data()).map_err(|_| "no text")?.to_owned(),
        Field::Bool(value) => u8::from(*value).to_string(),
        Field::Byte(value) => value.to_string(),
        Field::Short(value) => value.to_string(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) => value.to_string(),
        Field::UByte(value) => value.to_string(),
        Field::UShort(value) => value.to_string(),
        Field::UInt(value) => value.to_string(),
        Field::ULong(value) => value.to_string(),
        _ => return Err("neither text nor a whole number"),
    }))
}

/// The names that `datasets` of Hugging Face writes beside the schema.
fn class_names(text: &str, column: &str) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let names = value.pointer(&format!("/info/features/{column}/names")).and_then(|n| n.as_array());
    let name = |name: &serde_json::Value| super::class_name(name.as_str().unwrap_or_default());
    names.map_or_else(Vec::new, |names| names.iter().map(name).collect())
}
