//! What is learned from, and how images are read and prepared.

use tinderbox_base::settings;
use tinderbox_base::settings::ABOVE_ZERO;
use tinderbox_image::{Augment, Changes};

use crate::cache::CacheKind;
use crate::embedded::EMBEDDED;
use crate::reading::{Format, Reading, check_columns};

settings! {
    /// The settings of a data set. What is `None` is decided by the data.
    pub struct DataSpec {
        /// Name or path of a data set
        #[setting(kind = Argument, value = "DATASET", heading = Data, effect = NoResult,
            open = "fashion-mnist-mini, inside the program")]
        pub dataset: String = EMBEDDED.to_owned(),

        /// Height and width of the network's input
        #[setting(kind = Whole { least: 1, most: 4096 }, value = "PIXELS", heading = Model,
            effect = Fixed, open = "the images' own if all share one up to 96, otherwise 128")]
        pub size: Option<usize> = None,

        /// 1 for grey images, 3 for colour
        #[setting(kind = OneOf(&[1, 3]), value = "1|3", heading = Model, effect = Fixed,
            open = "those of the images")]
        pub channels: Option<usize> = None,

        /// Data set layout
        #[setting(kind = Choice(Format::NAMES), value = "LAYOUT", heading = Data,
            effect = Result, open = "detected")]
        pub data_format: Option<Format> = None,

        /// Names of the columns of a table for path, label, split and group
        #[setting(kind = Checked(check_columns), value = "ROLE=NAME,...", heading = Data,
            effect = Result, open = "the usual names")]
        pub columns: Option<String> = None,

        /// Keep samples together in one split: a pattern in the path, such as `(patient[0-9]+)`, or a
        /// column
        #[setting(kind = Text, value = "PATTERN", heading = Data, effect = Result)]
        pub group: Option<String> = None,

        /// Train on exactly the split of another run
        #[setting(kind = Text, value = "RUN", heading = Data, effect = NoResult)]
        pub lock: Option<String> = None,

        /// Augmentation preset; auto chooses one for the images
        #[setting(kind = Choice(&["auto", "none", "light", "standard", "strong"]), value = "PRESET",
            heading = Data, effect = Result)]
        pub augment: Augment = Augment::Auto,

        /// Change parts of the preset, such as `mixup=0.2,policy=rand`; the README lists all parts
        #[setting(kind = Text, value = "PART=VALUE,...", heading = Data, effect = Result)]
        #[serde(skip_serializing_if = "Changes::is_empty")]
        pub augmentation: Changes = Changes::default(),

        /// Where decoded images are kept; auto keeps them in memory as far as they fit
        #[setting(kind = Choice(&["auto", "ram", "disk", "none"]), value = "WHERE", heading = Data,
            effect = NoResult)]
        pub cache: CacheKind = CacheKind::Auto,

        /// Fraction of the training images held out for validation if the data set has no such split
        #[setting(kind = Real { least: ABOVE_ZERO, most: 0.9 }, value = "FRACTION", heading = Data,
            effect = Result)]
        pub val_fraction: f64 = 0.1,

        /// Largest fraction of the images that may fail to decode
        #[setting(kind = Real { least: 0.0, most: 1.0 }, value = "FRACTION", heading = Data,
            effect = NoResult)]
        pub max_bad: f64 = 0.05,

        /// Threads that read and decode images
        #[setting(kind = Whole { least: 1, most: 1024 }, value = "N", heading = Run, effect = NoResult,
            open = "twice the compute threads; 1 for data in memory")]
        pub loader_threads: Option<usize> = None,
    }
}

impl DataSpec {
    /// How the data set's files are read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let Self { data_format, columns, group, .. } = self;
        Reading { format: *data_format, columns: columns.clone(), group: group.clone() }
    }
}
