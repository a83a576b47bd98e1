//! The state of a training between two steps: from its start or a checkpoint, to a checkpoint, and
//! back to the last good epoch.

use crate::Scores;
use crate::divergence::{MOST_ROLLBACKS, ROLLBACK_RATE};
use crate::job::Job;
use crate::snapshot::{Point, Saved, Snapshot};
use crate::state::State;
use crate::{OnDivergence, Plan};
use crate::{Optimizer, learning_rate};
use tinderbox_base::Event;
use tinderbox_base::Events;
use tinderbox_base::{Error, Result};
use tinderbox_data::Loader;
use tinderbox_nn::Classifier;

/// A training under way.
pub(super) struct Training<M> {
    /// With autodiff.
    pub(super) model: M,
    pub(super) optimizer: Optimizer,
    pub(super) state: State,
    pub(super) best: Option<M>,
    good: Option<Point<M>>,
}

impl<M: Classifier> Training<M> {
    /// A new training of `model`, or the one in a checkpoint.
    pub(super) fn start(model: M, from: Option<Saved>, job: &Job) -> Result<Self> {
        let Snapshot { now, best, good } = if let Some(saved) = from {
            let restored = saved.restore(&model, &job.plan, &job.device);
            restored.map_err(|error| match &job.folder {
                Some(folder) => folder.unusable(error),
                None => error,
            })?
        } else {
            let optimizer = Optimizer::new(&job.plan.settings);
            let now = Point { model, optimizer, state: State::default() };
            Snapshot { now, best: None, good: None }
        };
        let wants_good = job.plan.settings.train.on_nan == OnDivergence::Rollback;
        let good = good.or_else(|| Some(now.clone())).filter(|_| wants_good);
        let Point { model, optimizer, state } = now;
        Ok(Self { model: model.train(), optimizer, state, best, good })
    }

    pub(super) fn loader(&self, job: &Job) -> Result<Loader> {
        let last = job.plan.total_steps();
        let first = self.state.step.min(last); // a finished run may have had more epochs
        Loader::start(&job.train, first, last, job.plan.loader_threads)
    }

    /// The learning rate of the next step.
    pub(super) fn rate(&self, plan: &Plan) -> f64 {
        self.state.rate_scale * learning_rate(plan, self.state.step)
    }

    /// The training at rest: its running statistics are settled, and no later step changes it.
    fn point(&self) -> Point<M> {
        let Self { model, optimizer, state, .. } = self;
        Point { model: model.valid(), optimizer: optimizer.clone(), state: state.clone() }
    }

    pub(super) fn snapshot(&self) -> Snapshot<M> {
        Snapshot { now: self.point(), best: self.best.clone(), good: self.good.clone() }
    }

    /// Ends an epoch whose model, `candidate`, has the scores `val`; whether it is the best.
    pub(super) fn add_epoch(&mut self, val: &Scores, candidate: M, plan: &Plan) -> bool {
        let rate = self.state.rate_scale * learning_rate(plan, self.state.step - 1);
        let is_best = self.state.add_epoch(val, rate);
        if is_best {
            self.best = Some(candidate);
        }
        if self.good.is_some() {
            self.good = Some(self.point());
        }
        is_best
    }

    /// The training at the end of the last good epoch, with a lower learning rate; or an error.
    pub(super) fn recover(
        self,
        job: &Job,
        why: String,
        kept: &str,
        out: &mut impl Events,
    ) -> Result<Self> {
        let Self { state, best, good, .. } = self;
        let lr = state.rate_scale * learning_rate(&job.plan, state.step.saturating_sub(1));
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
        let Point { model, optimizer, state } = point;
        Ok(Self { model: model.train(), optimizer, state, best, good })
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
