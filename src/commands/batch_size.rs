//! How many images fit into memory at once.

use tinderbox_base::process::itself;
use tinderbox_base::units::bytes;
use tinderbox_base::{Error, Result};
use tinderbox_nn::device::Chosen;
use tinderbox_nn::memory;
use tinderbox_nn::{check, spec};

/// The largest batch that `--batch auto` picks, and the fewest steps that it leaves in an epoch:
/// more images in a step make it no faster, and fewer steps learn less.
const MOST: usize = 512;
const FEWEST_STEPS: usize = 50;

/// A network of the zoo and where it trains.
pub struct Need<'a> {
    pub model: &'a str,
    /// `[C, H, W]` of an image.
    pub input: [usize; 3],
    pub classes: usize,
    pub device: &'a Chosen,
}

impl Need<'_> {
    /// The largest power of two that fits, for a training split of so many images.
    ///
    /// # Errors
    /// If not even one image fits.
    pub fn batch(&self, images: usize) -> Result<usize> {
        let most = (images / FEWEST_STEPS).clamp(1, MOST);
        self.largest(std::iter::successors(Some(1 << most.ilog2()), |&n| (n > 1).then_some(n / 2)))
    }

    /// The largest part of a batch that fits: the batch, its half, its quarter and so on.
    ///
    /// # Errors
    /// If not even one image fits.
    pub fn micro_batch(&self, batch: usize) -> Result<usize> {
        self.largest(std::iter::successors(Some(batch), |&n| (n > 1).then_some(n.div_ceil(2))))
    }

    fn largest(&self, falling: impl Iterator<Item = usize>) -> Result<usize> {
        let mut last = String::new();
        for images in falling {
            match self.refusal(images)? {
                None => return Ok(images),
                Some(why) => last = why,
            }
        }
        Err(Error::environment(format!(
            "`{}` does not fit into the memory of {}",
            self.model, self.device.name
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

    /// Why a step on so many images does not fit; none where it does.
    fn refusal(&self, images: usize) -> Result<Option<String>> {
        if self.device.is_gpu() {
            return self.try_step(images);
        }
        let need = self.bytes(images)?;
        let total = memory::total().filter(|&total| need >= total);
        Ok(total.map(|total| {
            format!("a step needs about {}, and there are {}", bytes(need), bytes(total))
        }))
    }

    /// Why a training step fails, tried in a process of its own: a device that has run out of memory
    /// may not recover in the same one.
    fn try_step(&self, images: usize) -> Result<Option<String>> {
        let [channels, height, width] = self.input;
        let numbers = [
            ("--size", height.max(width)),
            ("--channels", channels),
            ("--classes", self.classes),
            ("--batch", images),
            ("--steps", 1),
        ];
        let mut command = itself()?;
        command.args(["bench", "--only", "training", "--device", &self.device.name]);
        command.args(["--model", self.model]);
        for (flag, number) in numbers {
            command.args([flag, &number.to_string()]);
        }
        let output = command
            .output()
            .map_err(|cause| Error::environment("cannot start a trial step").cause(cause))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let why = text.lines().next().unwrap_or("the trial step ended without a word");
        Ok((!output.status.success()).then(|| why.to_owned()))
    }
}
