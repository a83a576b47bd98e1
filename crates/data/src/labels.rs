//! What images show: one class each, or several.

use std::slice::from_ref;

/// The classes of one image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// One class of several that exclude each other.
    One(u32),
    /// Any number of classes, rising.
    Many(Box<[u32]>),
}

impl Label {
    /// The numbers of the classes, rising.
    #[must_use]
    pub fn classes(&self) -> &[u32] {
        match self {
            Self::One(class) => from_ref(class),
            Self::Many(classes) => classes,
        }
    }

    /// What splits are stratified by, and what may take the place of a sample that does not decode:
    /// the first class. Images without any class are a stratum of their own, after `classes` others.
    #[must_use]
    pub fn stratum(&self, classes: usize) -> usize {
        self.classes().first().map_or(classes, |&class| class as usize)
    }

    /// The label with each class replaced.
    #[must_use]
    pub fn map(&self, to: impl Fn(u32) -> u32) -> Self {
        match self {
            Self::One(class) => Self::One(to(*class)),
            Self::Many(classes) => {
                let mut classes: Vec<u32> = classes.iter().map(|&class| to(class)).collect();
                classes.sort_unstable();
                Self::Many(classes.into())
            }
        }
    }

    /// The names of the classes, between commas.
    #[must_use]
    pub fn name(&self, names: &[String]) -> String {
        let names = self.classes().iter().filter_map(|&class| names.get(class as usize));
        names.map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl From<u32> for Label {
    fn from(class: u32) -> Self {
        Self::One(class)
    }
}

/// The labels of a batch, in the order of its images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<Label>);

impl Labels {
    /// One class for each image.
    pub fn one_each(classes: impl IntoIterator<Item = u32>) -> Self {
        Self(classes.into_iter().map(Label::One).collect())
    }

    /// How many images there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The label of each image.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// The labels of some of the images.
    #[must_use]
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        Self(self.0[range].to_vec())
    }
}

impl FromIterator<Label> for Labels {
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        Self(labels.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
