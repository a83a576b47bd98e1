//! The state of a training between two steps: from its start or a checkpoint, to a checkpoint, and
//! back to the last good epoch.

use std::sync::Arc;

use tinderbox_base::{Error, Event, Events, Result};
use tinderbox_data::Loader;
use tinderbox_nn::{Model, Params};

use crate::divergence::{MOST_ROLLBACKS, ROLLBACK_RATE};
use crate::job::Job;
use crate::learning::OnDivergence;
use crate::optimizer::Optimizer;
use crate::schedule::Schedule;
use crate::snapshot::{Point, Saved, Snapshot};
use crate::state::State;
use crate::task::Task;

/// A training under way.
pub(super) struct Training<M> {
    /// With autodiff.
    pub(super) model: M,
    pub(super) optimizer: Optimizer,
    pub(super) state: State,
    pub(super) best: Option<M>,
    good: Option<Point<M>>,
}

impl<M: Model> Training<M> {
    /// A new training of `model`, or the one in a checkpoint.
    pub(super) fn start<T: Task>(model: M, from: Option<Saved>, job: &Job<T>) -> Result<Self> {
        let Job { learning, context, .. } = job;
        let params = Arc::new(job.params.clone().unwrap_or_else(|| Params::of(&model)));
        let optimizer = Optimizer::new(learning.rule, params, context.kernels);
        let Snapshot { now, best, good } = if let Some(saved) = from {
            let restored = saved.restore(&model, optimizer, &learning.schedule, context.device());
            restored.map_err(|error| match &job.keeping.directory {
                Some(directory) => directory.unusable(error),
                None => error,
            })?
        } else {
            let now = Point { model, optimizer, state: State::default() };
            Snapshot { now, best: None, good: None }
        };
        let wants_good = learning.on_divergence == OnDivergence::Rollback;
        let good = good.or_else(|| Some(now.clone())).filter(|_| wants_good);
        Ok(Self::at(now, best, good))
    }

    /// The training from a moment on.
    fn at(now: Point<M>, best: Option<M>, good: Option<Point<M>>) -> Self {
        let Point { model, optimizer, state } = now;
        let model = optimizer.params().apply(model.train());
        Self { model, optimizer, state, best, good }
    }

    pub(super) fn loader<T: Task>(&self, job: &Job<T>) -> Result<Loader> {
        let last = job.learning.schedule.steps();
        let first = self.state.step.min(last); // a finished run may have had more epochs
        Loader::start(&job.splits.train, first, last, job.splits.threads)
    }

    /// The learning rate of a step.
    pub(super) fn rate(&self, schedule: &Schedule, step: usize) -> f64 {
        self.state.rate_scale * schedule.rate(step)
    }

    /// The training at rest: its running statistics are settled, and no later step changes it.
    fn point(&self) -> Point<M> {
        let Self { model, optimizer, state, .. } = self;
        Point { model: model.valid(), optimizer: optimizer.clone(), state: state.clone() }
    }

    pub(super) fn snapshot(&self) -> Snapshot<M> {
        Snapshot { now: self.point(), best: self.best.clone(), good: self.good.clone() }
    }

    /// Ends an epoch whose model, `candidate`, has the figures `scores` on validation; whether it is
    /// the best.
    pub(super) fn add_epoch<T: Task>(
        &mut self,
        scores: &T::Scores,
        candidate: M,
        job: &Job<T>,
    ) -> Result<bool> {
        let rate = self.rate(&job.learning.schedule, self.state.step - 1);
        let table = toml::Table::try_from(scores)
            .map_err(|cause| Error::failed("cannot write the figures").cause(cause))?;
        let is_best = self.state.add_epoch(job.task.verdict(scores), table, rate);
        if is_best {
            self.best = Some(candidate);
        }
        if self.good.is_some() {
            self.good = Some(self.point());
        }
        Ok(is_best)
    }

    /// The training at the end of the last good epoch, with a lower learning rate; or an error.
    pub(super) fn recover(
        self,
        schedule: &Schedule,
        why: String,
        kept: &str,
        out: &mut impl Events,
    ) -> Result<Self> {
        let lr = self.rate(schedule, self.state.step.saturating_sub(1));
        let Self { state, best, good, .. } = self;
        let mut report = |to: Option<usize>| {
            out.event(&Event::Diverged { step: state.step, lr, reason: why.clone(), back_to: to })
        };
        let Some(mut point) = good.filter(|_| state.rollbacks < MOST_ROLLBACKS) else {
            report(None)?;
            return Err(diverged(&state, &why, lr, kept));
        };
        report(Some(point.state.step))?;
        point.state.rate_scale = state.rate_scale * ROLLBACK_RATE;
        point.state.rollbacks = state.rollbacks + 1;
        point.state.bad = state.bad;
        let good = Some(point.clone());
        Ok(Self::at(point, best, good))
    }
}

fn diverged(state: &State, why: &str, lr: f64, kept: &str) -> Error {
    let cause = format!("the training diverged at a learning rate of {lr:.2e}");
    let cause = match state.rollbacks {
        0 => format!("{cause}; {kept}"),
        times => format!("{cause}, after going back {times} times; {kept}"),
    };
    Error::failed(format!("{why} at step {}", state.step)).cause(cause).hint(format!(
        "try `--lr {:.1e}`, a longer `--warmup`, `--clip 1` or `--on-nan rollback`",
        lr / 10.0
    ))
}
