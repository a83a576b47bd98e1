//! Who writes checkpoints while the training goes on.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tinderbox_base::env::{Stopwatch, sleep};
use tinderbox_base::settings::Interval;
use tinderbox_base::units::duration;
use tinderbox_base::{Error, Events, Result};
use tinderbox_nn::Model;

use crate::job::Job;
use crate::package::ModelCard;
use crate::rescue::Stage;
use crate::run_directory::RunDirectory;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::task::Task;

/// The longest time between two checkpoints that `auto` allows.
const AUTO: Duration = Duration::from_mins(5);
/// Between two checkpoints passes so many times what writing one took, where nobody asked for more:
/// saving costs at most one part in so many, on however slow a disk.
const SHARE: f64 = 100.0;
/// A step is slow when it takes so long: the state before each one is then kept, to be saved where
/// the step does not end.
const SLOW: f64 = 1.0;
/// How often a write that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// What was written, how many seconds it took, and how it ended.
type Written<M> = (Snapshot<M>, f64, Result<()>);

/// A thread that writes checkpoints, one at a time.
struct WriterThread<M> {
    orders: Sender<(Snapshot<M>, bool)>,
    written: Receiver<Written<M>>,
    thread: JoinHandle<()>,
}

impl<M: Model> WriterThread<M> {
    fn start(folder: RunDirectory, card: ModelCard, decides: &'static str) -> Result<Self> {
        let (orders, ordered) = channel::<(Snapshot<M>, bool)>();
        let (done, written) = channel();
        let work = move || {
            for (what, model) in ordered {
                let clock = Stopwatch::start();
                let result = folder.save(&what, &card, decides, model);
                if done.send((what, clock.seconds(), result)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(work);
        let thread = thread.map_err(|cause| {
            Error::environment("cannot start a thread for the checkpoints").cause(cause)
        })?;
        Ok(Self { orders, written, thread })
    }

    /// Ends it when its last write is done.
    fn finish(self) {
        drop(self.orders);
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Saves the state in the background, in good time.
pub(super) struct CheckpointWriter<'a, M, T> {
    job: &'a Job<T>,
    /// The name of the score that decides.
    decides: &'static str,
    writer: Option<WriterThread<M>>,
    is_writing: bool,
    last: Stopwatch,
    step: Stopwatch,
    last_step: usize,
    took: f64,
    saved: Option<usize>,
    model_epoch: usize,
    /// What was written last by this process.
    written: Option<State>,
}

impl<'a, M: Model, T: Task> CheckpointWriter<'a, M, T> {
    /// For a training that is at `step` and lies in a checkpoint of that step where `is_saved`; `decides`
    /// is the name of the score that decides.
    pub(super) fn new(job: &'a Job<T>, decides: &'static str, step: usize, is_saved: bool) -> Self {
        let now = Stopwatch::start();
        Self {
            job,
            decides,
            writer: None,
            is_writing: false,
            last: now,
            step: now,
            last_step: step,
            took: 0.0,
            saved: is_saved.then_some(step),
            model_epoch: 0,
            written: None,
        }
    }

    /// After a step or an epoch: begins a checkpoint where one is due.
    pub(super) fn maybe_save(
        &mut self,
        step: usize,
        epoch_ended: bool,
        snapshot: impl Fn() -> Snapshot<M>,
        out: &mut impl Events,
    ) -> Result<()> {
        let Some(folder) = &self.job.keeping.directory else { return Ok(()) };
        let seconds = self.step.seconds();
        self.step = Stopwatch::start();
        if seconds <= SLOW {
            self.job.keeping.rescue.set(Stage::Quick);
        } else {
            let (folder, card, what) = (folder.clone(), self.job.card.clone(), snapshot());
            let decides = self.decides;
            self.job.keeping.rescue.set(Stage::Slow(Box::new(move || {
                folder.save(&what, &card, decides, false).map(|()| what.now.state.step)
            })));
        }
        if let Some(written) = self.poll(false) {
            self.settle(written, out)?;
        }
        if self.is_writing || !self.is_due(step, epoch_ended) {
            return Ok(());
        }
        let what = snapshot();
        (self.last, self.last_step) = (Stopwatch::start(), step);
        let model = what.now.state.best_epoch != self.model_epoch;
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => WriterThread::start(folder.clone(), self.job.card.clone(), self.decides)?,
        };
        // A writer that panicked is found at the next poll.
        self.is_writing = writer.orders.send((what, model)).is_ok();
        self.writer = Some(writer);
        Ok(())
    }

    /// What was written, if it is; with `wait` not before it is.
    fn poll(&mut self, wait: bool) -> Option<Written<M>> {
        let written = &self.writer.as_ref().filter(|_| self.is_writing)?.written;
        let result = match (wait, written.try_recv()) {
            (false, Err(TryRecvError::Empty)) => return None,
            (true, Err(TryRecvError::Empty)) => written.recv().ok(),
            (_, result) => result.ok(),
        };
        self.is_writing = false;
        if result.is_none()
            && let Some(writer) = self.writer.take()
        {
            writer.finish(); // it panicked, and so does this
        }
        result
    }

    fn is_due(&self, step: usize, epoch_ended: bool) -> bool {
        let since = self.last.seconds();
        match self.job.keeping.every {
            Interval::Steps(steps) => step >= self.last_step + steps,
            Interval::Time(time) => since >= time.as_secs_f64(),
            Interval::Auto => {
                (epoch_ended || since >= AUTO.as_secs_f64()) && since >= SHARE * self.took
            }
        }
    }

    /// Waits for the write in progress.
    fn join(&mut self, out: &mut impl Events) -> Result<()> {
        self.poll(true).map_or(Ok(()), |written| self.settle(written, out))
    }

    /// Takes note of a write. One that failed is tried again, while the training waits.
    fn settle(&mut self, (what, took, result): Written<M>, out: &mut impl Events) -> Result<()> {
        self.took = took;
        result.or_else(|error| self.retry(&what, error, out))?;
        self.has_saved(&what);
        Ok(())
    }

    fn has_saved(&mut self, what: &Snapshot<M>) {
        let state = &what.now.state;
        (self.saved, self.model_epoch) = (Some(state.step), state.best_epoch);
        self.written = Some(state.clone());
    }

    /// Saves the last state of all, and returns when it is on the disk.
    pub(super) fn finish(&mut self, what: &Snapshot<M>, out: &mut impl Events) -> Result<()> {
        self.job.keeping.rescue.set(Stage::Ending);
        let Some(folder) = &self.job.keeping.directory else { return Ok(()) };
        self.join(out)?;
        if self.written.as_ref() == Some(&what.now.state) {
            return Ok(()); // the last epoch's checkpoint is this state
        }
        folder
            .save(what, &self.job.card, self.decides, true)
            .or_else(|error| self.retry(what, error, out))?;
        self.has_saved(what);
        Ok(())
    }

    /// Tries to write every second until it works, the time for it is over, or a signal comes.
    fn retry(&self, what: &Snapshot<M>, mut error: Error, out: &mut impl Events) -> Result<()> {
        let Some(folder) = &self.job.keeping.directory else { return Ok(()) };
        let patience = self.job.keeping.retry_for.as_secs_f64();
        out.say(&format!(
            "warning: {error}; the training waits, and tries again for {}",
            duration(patience)
        ));
        let clock = Stopwatch::start();
        while clock.seconds() < patience && self.job.keeping.signals.pending().is_none() {
            sleep(PAUSE.min(self.job.keeping.retry_for / 10));
            folder.check_lock()?;
            match folder.save(what, &self.job.card, self.decides, true) {
                Ok(()) => {
                    out.say("saved: the training goes on");
                    return Ok(());
                }
                Err(next) => error = next,
            }
        }
        let kept = self.last_saved();
        let cause = error.cause.clone().unwrap_or_default();
        Err(Error::failed(error.message)
            .cause(format!("{cause}; step {} is lost, {kept}", what.now.state.step))
            .hint("make the disk writable, then go on with `tinderbox train --resume`"))
    }

    /// Where the training can be taken up again, for an error that ends it.
    pub(super) fn kept(&mut self, out: &mut impl Events) -> Result<String> {
        self.join(out)?;
        Ok(self.last_saved())
    }

    fn last_saved(&self) -> String {
        match (&self.job.keeping.directory, self.saved) {
            (Some(folder), Some(step)) => {
                format!(
                    "the state after step {step} is in `{}`",
                    folder.checkpoint_file().display()
                )
            }
            _ => "nothing is saved yet".to_owned(),
        }
    }
}

impl<M, T> Drop for CheckpointWriter<'_, M, T> {
    fn drop(&mut self) {
        // A training that ends with an error still leaves the checkpoint that was begun.
        if let Some(WriterThread { orders, thread, .. }) = self.writer.take() {
            drop(orders);
            let _ = thread.join();
        }
    }
}
