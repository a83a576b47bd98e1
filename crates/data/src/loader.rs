//! Threads that decode ahead, into a bounded number of batches. Thread `t` of `T` makes the steps
//! `t`, `t + T`, ... and hands them over in a channel of its own, so that the batches come in the
//! order of the steps however fast each thread is, and what they hold depends on the step alone.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tinderbox_base::draw::Purpose;
use tinderbox_base::env::Stopwatch;
use tinderbox_base::{Error, Result};
use tinderbox_image::augment::{Address, augment, mix};
use tinderbox_image::{
    Augmentation, DecodeSize, Pixels, Preprocessing, normalise, prepare, to_pixels,
};

use crate::labels::{Label, Labels};
use crate::order::Order;
use crate::quarantine::{BadSample, Samples};

/// Batches that a thread may be ahead of what is asked for, beside the one it works on.
const AHEAD: usize = 1;
/// How many seconds a thread may take to see that nobody wants its batches any more: longer than any one batch,
/// unless its storage does not answer.
const HELD: f64 = 2.0;

/// What a loader has to do.
#[derive(Clone, Debug)]
pub struct LoaderSpec {
    /// The split's samples.
    pub samples: Arc<Samples>,
    /// Which of them at which step.
    pub order: Order,
    /// How images are varied; not at all for what is only answered.
    pub augmentation: Augmentation,
    /// How images become numbers.
    pub preprocessing: Preprocessing,
    /// Bytes that all batches which are made or wait may take together, as far as one at a time
    /// allows.
    pub most_bytes: usize,
}

/// One step's images.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Normalised images, `[N, C, H, W]`.
    pub images: Vec<f32>,
    /// `[C, H, W]` of an image.
    pub input: [usize; 3],
    /// What each image shows.
    pub labels: Labels,
    /// The mixing coefficient: the share of each image that is the image itself; the rest is the image
    /// before it, for the first the last. 1 where images are not mixed.
    pub mixing: f32,
    /// Samples that did not decode and were replaced.
    pub bad: Vec<BadSample>,
}

impl LoaderSpec {
    /// The images of the first step as the network's input shows them, before normalisation.
    ///
    /// # Errors
    /// If a class has no sample that decodes.
    pub fn first_batch(&self) -> Result<(Vec<Pixels>, Batch)> {
        let batch = self.batch(&self.order.epoch(0), 0, 0)?;
        let size: usize = self.preprocessing.input().iter().product();
        let images = batch.images.chunks_exact(size);
        Ok((images.map(|image| to_pixels(image, &self.preprocessing)).collect(), batch))
    }

    /// The sample at a position of the first epoch as it is evaluated and as it is varied there in so
    /// many epochs, with its class.
    ///
    /// # Errors
    /// If its class has no sample that decodes.
    pub fn variants(&self, position: usize, epochs: usize) -> Result<(Pixels, Vec<Pixels>, Label)> {
        let how = &self.preprocessing;
        let index = self.order.epoch(0)[position];
        let (pixels, label) = self.samples.load(index, DecodeSize::input(how), &mut Vec::new())?;
        let vary = |epoch| augment(&pixels, &self.augmentation, how, self.address(epoch, position));
        Ok((prepare(&pixels, how), (0..epochs).map(vary).collect(), label))
    }

    fn image(
        &self,
        order: &[u32],
        epoch: usize,
        position: usize,
        bad: &mut Vec<BadSample>,
    ) -> Result<(Pixels, Label)> {
        let (pixels, label) =
            self.samples.load(order[position], DecodeSize::input(&self.preprocessing), bad)?;
        let at = self.address(epoch, position);
        Ok((augment(&pixels, &self.augmentation, &self.preprocessing, at), label))
    }

    fn address(&self, epoch: usize, position: usize) -> Address {
        let seed = self.order.seed.unwrap_or(0);
        Address { seed, epoch: epoch as u64, position: position as u64 }
    }

    fn batch(&self, order: &[u32], epoch: usize, first: usize) -> Result<Batch> {
        let last = (first + self.order.batch).min(order.len());
        let size: usize = self.preprocessing.input().iter().product();
        let mut images = vec![0.0; (last - first) * size];
        let mut labels = Vec::with_capacity(last - first);
        let mut bad = Vec::new();
        for (position, target) in (first..last).zip(images.chunks_exact_mut(size)) {
            let (pixels, label) = self.image(order, epoch, position, &mut bad)?;
            normalise(&pixels, &self.preprocessing, target);
            labels.push(label);
        }
        let draw = self.address(epoch, first).draw(Purpose::Mix);
        let input = self.preprocessing.input();
        let mixing = mix(&mut images, input, &self.augmentation, draw);
        Ok(Batch { images, input, labels: labels.into_iter().collect(), mixing, bad })
    }
}

/// A running loader. Dropping it ends its threads.
#[derive(Debug)]
pub struct Loader {
    lanes: Vec<Receiver<Result<Batch>>>,
    threads: Vec<JoinHandle<()>>,
    next: usize,
    last: usize,
}

impl Loader {
    /// Starts `threads` threads on the steps `first` to `last - 1` of `work`.
    ///
    /// # Errors
    /// If the operating system does not grant the threads.
    pub fn start(spec: &LoaderSpec, first: usize, last: usize, threads: usize) -> Result<Self> {
        let values: usize = spec.preprocessing.input().iter().product();
        let fit = (spec.most_bytes / (4 * values * spec.order.batch).max(1)).max(1);
        let count = threads.clamp(1, (last - first).max(1)).min(fit);
        let ahead = (fit / count - 1).min(AHEAD);
        let mut lanes = Vec::with_capacity(count);
        let mut handles = Vec::with_capacity(count);
        for lane in 0..count {
            let (sender, receiver) = sync_channel(ahead);
            let spec = spec.clone();
            let steps = (first + lane..last).step_by(count);
            let handle = std::thread::Builder::new()
                .name(format!("loader-{lane}"))
                .spawn(move || produce(&spec, steps, &sender))
                .map_err(|cause| {
                    Error::environment("cannot start a loader thread")
                        .cause(cause)
                        .hint("try a smaller `--loader-threads`")
                })?;
            lanes.push(receiver);
            handles.push(handle);
        }
        Ok(Self { lanes, threads: handles, next: 0, last: last - first })
    }
}

impl Loader {
    /// The next batch, or nothing at the end. While there is none, `goes_on` is asked every second,
    /// with the seconds so far, whether to wait any longer; where not, the answer is nothing.
    pub fn wait(&mut self, mut goes_on: impl FnMut(u64) -> bool) -> Option<Result<Batch>> {
        if self.next == self.last {
            return None;
        }
        let lane = &self.lanes[self.next % self.lanes.len()];
        for seconds in 1.. {
            match lane.recv_timeout(Duration::from_secs(1)) {
                Ok(batch) => {
                    self.next += 1;
                    return Some(batch);
                }
                Err(RecvTimeoutError::Timeout) if goes_on(seconds) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    self.next = self.last;
                    return Some(Err(Error::failed(
                        "a loader thread ended before its work was done",
                    )));
                }
            }
        }
        None
    }
}

fn produce(
    spec: &LoaderSpec,
    steps: impl Iterator<Item = usize>,
    sender: &SyncSender<Result<Batch>>,
) {
    let mut order: Option<(usize, Vec<u32>)> = None;
    for step in steps {
        let (epoch, first) = spec.order.locate(step);
        let order = match &mut order {
            Some((current, order)) if *current == epoch => &*order,
            other => &other.insert((epoch, spec.order.epoch(epoch))).1,
        };
        let batch = spec.batch(order, epoch, first);
        let failed = batch.is_err();
        if sender.send(batch).is_err() || failed {
            return; // nobody listens any more, or nothing can follow
        }
    }
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        self.wait(|_| true)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.lanes.clear(); // a thread that waits to hand over a batch gives up
        let clock = Stopwatch::start();
        for thread in self.threads.drain(..) {
            // One that storage holds is left behind: it ends with the process.
            while !thread.is_finished() && clock.seconds() < HELD {
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sample, Source, Store};

    fn work(samples: usize) -> LoaderSpec {
        let data = (0..samples * 6).map(|i| i as u8).collect();
        let store = Arc::new(Store::new([2, 3, 1], || data));
        let samples: Vec<Sample> = (0..samples)
            .map(|i| Sample {
                key: i.to_string().into(),
                label: Label::One((i % 2) as u32),
                group: None,
                source: Source::Memory(Arc::clone(&store), i),
            })
            .collect();
        let order = Order::shuffled(samples.len(), 4, 3);
        let preprocessing = Preprocessing {
            channels: 1,
            height: 2,
            width: 3,
            crop: 1.0,
            mean: vec![0.5],
            std: vec![0.25],
        };
        let augmentation =
            Augmentation { shift: 0.4, mixup: 0.3, cutmix: 1.0, ..Augmentation::NONE };
        let samples = Samples::new(samples, 2);
        LoaderSpec { samples, order, augmentation, preprocessing, most_bytes: 1 << 20 }
    }

    fn all(spec: &LoaderSpec, last: usize, threads: usize) -> Vec<(Vec<u32>, Labels)> {
        Loader::start(spec, 0, last, threads)
            .unwrap()
            .map(|batch| batch.unwrap())
            .map(|batch| (batch.images.iter().map(|v| v.to_bits()).collect(), batch.labels))
            .collect()
    }

    #[test]
    fn batches_do_not_depend_on_the_number_of_threads() {
        let spec = work(23);
        let one = all(&spec, 17, 1);
        assert_eq!(one.len(), 17);
        assert_eq!(one[5].1.len(), 3, "the last batch of an epoch holds what is left");
        for threads in [2, 3, 7, 40] {
            assert_eq!(one, all(&spec, 17, threads));
        }
    }

    #[test]
    fn a_loader_can_start_at_any_step() {
        let spec = work(23);
        let whole = all(&spec, 17, 2);
        let rest: Vec<Labels> =
            Loader::start(&spec, 9, 17, 3).unwrap().map(|batch| batch.unwrap().labels).collect();
        assert_eq!(rest, whole[9..].iter().map(|batch| batch.1.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn a_loader_that_is_dropped_early_ends() {
        drop(Loader::start(&work(1000), 0, 100_000, 4).unwrap());
    }
}
