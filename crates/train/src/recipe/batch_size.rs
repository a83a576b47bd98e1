//! How many images fit into memory at once.

use tinderbox_base::units::{bytes, thousands};
use tinderbox_base::{Error, Result};
use tinderbox_nn::{check, memory, spec};

/// The largest batch that `--batch auto` picks, and the fewest steps that it leaves in an epoch:
/// more images in a step make it no faster, and fewer steps learn less.
const MOST: usize = 512;
const FEWEST_STEPS: usize = 50;
/// Values in a batch: 8 GiB of them.
const MOST_VALUES: usize = 1 << 31;

/// What a training may take of the machine that it runs on.
pub struct Machine<'a> {
    /// The name of the device, for people.
    pub name: String,
    /// Bytes of memory of the machine; none where it is not known.
    pub memory: Option<u64>,
    /// Whether the device has a memory of its own: a batch is then computed in parts that fit, where
    /// nobody says how.
    pub splits_batches: bool,
    /// Why a step on this many images does not fit; none where it does.
    pub refusal: &'a dyn Fn(&Need<'_>, usize) -> Result<Option<String>>,
}

impl Machine<'_> {
    /// The CPU with the memory that it has.
    #[must_use]
    pub fn cpu() -> Self {
        Self {
            name: "cpu".to_owned(),
            memory: memory::total(),
            splits_batches: false,
            refusal: &refused_by_memory,
        }
    }
}

/// Why a step on this many images does not fit into the memory of the CPU.
fn refused_by_memory(need: &Need<'_>, images: usize) -> Result<Option<String>> {
    let bytes_needed = need.bytes(images)?;
    let total = memory::total().filter(|&total| bytes_needed >= total);
    Ok(total.map(|total| {
        format!("a step needs about {}, and there are {}", bytes(bytes_needed), bytes(total))
    }))
}

/// A network of the zoo and where it trains.
pub struct Need<'a> {
    /// The name of the network.
    pub model: &'a str,
    /// `[C, H, W]` of an image.
    pub input: [usize; 3],
    /// How many classes there are.
    pub classes: usize,
    /// Where it trains.
    pub machine: &'a Machine<'a>,
}

impl Need<'_> {
    /// The largest power of two that fits, for a training split of so many images.
    ///
    /// # Errors
    /// If not even one image fits.
    pub(super) fn batch(&self, images: usize) -> Result<usize> {
        let most = (images / FEWEST_STEPS).clamp(1, MOST);
        self.largest(std::iter::successors(Some(1 << most.ilog2()), |&n| (n > 1).then_some(n / 2)))
    }

    /// The largest part of a batch that fits: the batch, its half, its quarter and so on.
    ///
    /// # Errors
    /// If not even one image fits.
    pub(super) fn micro_batch(&self, batch: usize) -> Result<usize> {
        self.largest(std::iter::successors(Some(batch), |&n| (n > 1).then_some(n.div_ceil(2))))
    }

    fn largest(&self, falling: impl Iterator<Item = usize>) -> Result<usize> {
        let mut last = String::new();
        for images in falling {
            match (self.machine.refusal)(self, images)? {
                None => return Ok(images),
                Some(why) => last = why,
            }
        }
        Err(Error::environment(format!(
            "`{}` does not fit into the memory of {}",
            self.model, self.machine.name
        ))
        .cause(format!("not even one image at a time: {last}"))
        .hint("use a smaller `--size` or another `--model`"))
    }

    /// What a step on so many images needs on the CPU.
    ///
    /// # Errors
    /// If there is no such network.
    pub fn bytes(&self, images: usize) -> Result<u64> {
        Ok(check(&spec(self.model, self.input, self.classes)?)?.training_bytes(images))
    }
}

/// Checks that a batch of images fits into memory.
///
/// # Errors
/// If it is too large.
pub fn check_batch(batch: usize, input: [usize; 3]) -> Result<()> {
    let values = batch * input.iter().product::<usize>();
    if values <= MOST_VALUES {
        return Ok(());
    }
    let [_, height, width] = input;
    Err(Error::usage(format!("`--batch {batch}` is too large"))
        .cause(format!("{} values at {width}x{height} pixels", thousands(values as u64)))
        .hint("use a smaller `--batch` or a smaller `--size`"))
}
