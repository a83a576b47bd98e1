//! Threads that decode ahead, into a bounded number of batches. Thread `t` of `T` makes the steps
//! `t`, `t + T`, ... and hands them over in a channel of its own, so that the batches come in the
//! order of the steps however fast each thread is, and what they hold depends on the step alone.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::augment::{Address, augment};
use super::decode::Want;
use super::order::Order;
use super::quarantine::{BadSample, Samples};
use crate::base::{Error, Pixels, Result};
use crate::config::{Augment, Preprocessing};

/// Batches that a thread may be ahead of what is asked for, beside the one it works on.
const AHEAD: usize = 2;

/// What a loader has to do.
#[derive(Clone, Debug)]
pub struct Work {
    /// The split's samples.
    pub samples: Arc<Samples>,
    /// Which of them at which step.
    pub order: Order,
    /// How images are varied; `None` for what is only answered.
    pub augment: Augment,
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
    /// The class of each image.
    pub labels: Vec<u32>,
    /// Samples that did not decode and were replaced.
    pub bad: Vec<BadSample>,
}

impl Work {
    /// The images of a step as the network's input shows them, before normalisation.
    ///
    /// # Errors
    /// If a class has no sample that decodes.
    pub fn pixels(&self, step: usize) -> Result<(Vec<Pixels>, Vec<u32>)> {
        let (epoch, first) = self.order.locate(step);
        let order = self.order.epoch(epoch);
        let last = (first + self.order.batch).min(order.len());
        let mut bad = Vec::new();
        let images = (first..last).map(|position| self.image(&order, epoch, position, &mut bad));
        Ok(images.collect::<Result<Vec<_>>>()?.into_iter().unzip())
    }

    fn image(
        &self,
        order: &[u32],
        epoch: usize,
        position: usize,
        bad: &mut Vec<BadSample>,
    ) -> Result<(Pixels, u32)> {
        let (pixels, label) =
            self.samples.load(order[position], Want::input(&self.preprocessing), bad)?;
        let seed = self.order.seed.unwrap_or(0);
        let at = Address { seed, epoch: epoch as u64, position: position as u64 };
        Ok((augment(&pixels, self.augment, &self.preprocessing, at), label))
    }

    fn batch(&self, order: &[u32], epoch: usize, first: usize) -> Result<Batch> {
        let last = (first + self.order.batch).min(order.len());
        let size: usize = self.preprocessing.input().iter().product();
        let mut batch = Batch {
            images: vec![0.0; (last - first) * size],
            labels: Vec::with_capacity(last - first),
            bad: Vec::new(),
        };
        for (position, target) in (first..last).zip(batch.images.chunks_exact_mut(size)) {
            let (pixels, label) = self.image(order, epoch, position, &mut batch.bad)?;
            normalise(&pixels, &self.preprocessing, target);
            batch.labels.push(label);
        }
        Ok(batch)
    }
}

/// `(value / 255 - mean) / std` of `[H, W, C]` bytes into `[C, H, W]`.
fn normalise(pixels: &Pixels, how: &Preprocessing, target: &mut [f32]) {
    let plane = pixels.width * pixels.height;
    for (channel, out) in target.chunks_exact_mut(plane).enumerate() {
        let scale = 1.0 / (255.0 * how.std[channel]);
        let offset = how.mean[channel] / how.std[channel];
        let values = pixels.data.iter().skip(channel).step_by(pixels.channels);
        for (out, &value) in out.iter_mut().zip(values) {
            *out = f32::from(value) * scale - offset;
        }
    }
}

/// One picture as the network's input, `[C, H, W]`.
#[must_use]
pub(crate) fn to_input(pixels: &Pixels, how: &Preprocessing) -> Vec<f32> {
    let mut target = vec![0.0; pixels.data.len()];
    normalise(pixels, how, &mut target);
    target
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
    pub fn start(work: &Work, first: usize, last: usize, threads: usize) -> Result<Self> {
        let values: usize = work.preprocessing.input().iter().product();
        let fit = (work.most_bytes / (4 * values * work.order.batch).max(1)).max(1);
        let count = threads.clamp(1, (last - first).max(1)).min(fit);
        let ahead = (fit / count - 1).min(AHEAD);
        let mut lanes = Vec::with_capacity(count);
        let mut handles = Vec::with_capacity(count);
        for lane in 0..count {
            let (sender, receiver) = sync_channel(ahead);
            let work = work.clone();
            let steps = (first + lane..last).step_by(count);
            let handle = std::thread::Builder::new()
                .name(format!("loader-{lane}"))
                .spawn(move || produce(&work, steps, &sender))
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

fn produce(work: &Work, steps: impl Iterator<Item = usize>, sender: &SyncSender<Result<Batch>>) {
    let mut order: Option<(usize, Vec<u32>)> = None;
    for step in steps {
        let (epoch, first) = work.order.locate(step);
        let order = match &mut order {
            Some((current, order)) if *current == epoch => &*order,
            other => &other.insert((epoch, work.order.epoch(epoch))).1,
        };
        let batch = work.batch(order, epoch, first);
        let failed = batch.is_err();
        if sender.send(batch).is_err() || failed {
            return; // nobody listens any more, or nothing can follow
        }
    }
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        if self.next == self.last {
            return None;
        }
        let lane = self.next % self.lanes.len();
        self.next += 1;
        Some(self.lanes[lane].recv().unwrap_or_else(|_| {
            self.next = self.last;
            Err(Error::failed("a loader thread ended before its work was done"))
        }))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.lanes.clear(); // a thread that waits to hand over a batch gives up
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Sample, Source, Store};

    fn work(samples: usize) -> Work {
        let data = (0..samples * 6).map(|i| i as u8).collect();
        let store = Arc::new(Store { height: 2, width: 3, channels: 1, data });
        let samples: Vec<Sample> = (0..samples)
            .map(|i| Sample {
                key: i.to_string().into(),
                label: (i % 2) as u32,
                group: None,
                source: Source::Memory(Arc::clone(&store), i),
            })
            .collect();
        let order = Order { samples: samples.len(), batch: 4, seed: Some(3) };
        let preprocessing = Preprocessing {
            channels: 1,
            height: 2,
            width: 3,
            crop: 1.0,
            mean: vec![0.5],
            std: vec![0.25],
        };
        let (samples, augment) = (Samples::new(samples, 2), Augment::Light);
        Work { samples, order, augment, preprocessing, most_bytes: 1 << 20 }
    }

    fn all(work: &Work, last: usize, threads: usize) -> Vec<(Vec<u32>, Vec<u32>)> {
        Loader::start(work, 0, last, threads)
            .unwrap()
            .map(|batch| batch.unwrap())
            .map(|batch| (batch.images.iter().map(|v| v.to_bits()).collect(), batch.labels))
            .collect()
    }

    #[test]
    fn batches_do_not_depend_on_the_number_of_threads() {
        let work = work(23);
        let one = all(&work, 17, 1);
        assert_eq!(one.len(), 17);
        assert_eq!(one[5].1.len(), 3, "the last batch of an epoch holds what is left");
        for threads in [2, 3, 7, 40] {
            assert_eq!(one, all(&work, 17, threads));
        }
    }

    #[test]
    fn a_loader_can_start_at_any_step() {
        let work = work(23);
        let whole = all(&work, 17, 2);
        let rest: Vec<Vec<u32>> =
            Loader::start(&work, 9, 17, 3).unwrap().map(|batch| batch.unwrap().labels).collect();
        assert_eq!(rest, whole[9..].iter().map(|batch| batch.1.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn a_loader_that_is_dropped_early_ends() {
        drop(Loader::start(&work(1000), 0, 100_000, 4).unwrap());
    }
}
