//! Who looks after a training from outside: a signal must end it also where a step does not end.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tinderbox_base::env::Stopwatch;
use tinderbox_base::signals::Signals;
use tinderbox_base::{Error, Result};
use tinderbox_train::Rescue;

/// Seconds after a signal in which a step may end by itself.
const GRACE: f64 = 5.0;
/// How often is looked whether a signal came.
const LOOK: Duration = Duration::from_millis(100);

/// Signals, and what saves a training that does not see them.
#[derive(Clone, Default)]
pub struct Watch {
    pub signals: Signals,
    pub rescue: Rescue,
}

impl Watch {
    /// Does the work in a thread of its own, and leaves it where it is when a step does not end in
    /// time after a signal.
    pub fn over(&self, work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
        let (done, result) = channel();
        let thread = std::thread::Builder::new().name("train".to_owned()).spawn(move || {
            let _ = done.send(work());
        });
        let thread = thread.map_err(|cause| {
            Error::environment("cannot start a thread to train in").cause(cause)
        })?;
        let mut asked: Option<Stopwatch> = None;
        loop {
            match result.recv_timeout(LOOK) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return thread.join().map_or_else(|panic| resume_unwind(panic), Ok);
                }
            }
            let Some(signal) = self.signals.pending() else { continue };
            let since = asked.get_or_insert_with(Stopwatch::start).seconds();
            if since > GRACE && !self.rescue.is_ending() {
                let saved = match self.rescue.save() {
                    Some(saved) => format!("the state after step {} is saved", saved?),
                    None => "the last checkpoint is the newest state".to_owned(),
                };
                return Err(Error::interrupted(signal, "interrupted in a step that did not end")
                    .cause(saved)
                    .hint("go on with `tinderbox train --resume latest`"));
            }
        }
    }
}
