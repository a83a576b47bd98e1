//! How a data set's files are read, where what is there does not tell.

use serde::{Deserialize, Serialize};
use tinderbox_base::{Error, Result};

/// The form of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A folder for each class.
    Folder,
    /// A table of paths and labels.
    Csv,
    /// The files of MNIST and its relatives.
    Idx,
    /// The binary files of CIFAR-10 and CIFAR-100.
    Cifar,
    /// Tar archives, packed or not.
    Tar,
    /// Parquet with the images in it.
    Parquet,
}

impl Format {
    /// The names of all.
    pub const NAMES: &'static [&'static str] = &["folder", "csv", "idx", "cifar", "tar", "parquet"];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        use Format::{Cifar, Csv, Folder, Idx, Parquet, Tar};
        let all = [Folder, Csv, Idx, Cifar, Tar, Parquet];
        Self::NAMES.iter().position(|known| *known == name).map(|place| all[place])
    }
}

/// What a user says of a data set's files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Its form; what is there tells where none is given.
    pub format: Option<Format>,
    /// Names of columns: `path=FILE,label=CLASS,split=PART,group=PATIENT`.
    pub columns: Option<String>,
    /// A pattern that finds a sample's group in its path, or the name of a column of groups.
    pub group: Option<String>,
}

/// What a column can hold.
const ROLES: [&str; 4] = ["path", "label", "split", "group"];

impl Reading {
    /// The name that was given to a column.
    #[must_use]
    pub fn column(&self, role: &str) -> Option<&str> {
        let mut pairs = self.columns.as_deref()?.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| name.trim() == role).map(|(_, column)| column.trim())
    }

    /// Checks the words.
    ///
    /// # Errors
    /// If a column's role is unknown.
    pub fn check(&self) -> Result<()> {
        self.columns.as_deref().map_or(Ok(()), check_columns)
    }
}

/// Checks that names of columns are like `path=file,label=species`.
pub(super) fn check_columns(columns: &str) -> Result<()> {
    for pair in columns.split(',') {
        let good = pair.split_once('=').is_some_and(|(role, column)| {
            ROLES.contains(&role.trim()) && !column.trim().is_empty()
        });
        if !good {
            return Err(Error::usage(format!("`--columns` has `{pair}`"))
                .hint("like `--columns path=file,label=species`; also `split=` and `group=`"));
        }
    }
    Ok(())
}
