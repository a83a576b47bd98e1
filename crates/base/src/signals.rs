//! Signals that ask the program to end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::{Error, Result};

/// Whether a signal still ends the program at once.
static AT_ONCE: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on a SIGINT or SIGTERM ends the program at once, until somebody listens for them. They
/// would anyhow, but not in a container: there the program is process 1, for which the kernel
/// ignores signals that it does not handle.
///
/// # Errors
/// If the operating system does not allow it.
pub fn end_at_once() -> Result<()> {
    let at_once = AT_ONCE.get_or_init(|| Arc::new(AtomicBool::new(true)));
    [SIGINT, SIGTERM].into_iter().try_for_each(|signal| {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(at_once))
            .map(drop)
            .map_err(|cause| Error::environment("cannot listen for signals").cause(cause))
    })
}

/// Listens for SIGINT (Ctrl-C) and SIGTERM (`docker stop`).
#[derive(Clone, Debug, Default)]
pub struct Signals {
    pending: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens from now on. A second SIGINT leaves at once.
    ///
    /// # Errors
    /// If the operating system does not allow it.
    pub fn listen() -> Result<Self> {
        let signals = Self::default();
        signals.start()?;
        Ok(signals)
    }

    /// Starts to listen, as [`listen`](Self::listen) does.
    ///
    /// # Errors
    /// If the operating system does not allow it.
    pub fn start(&self) -> Result<()> {
        let again = Arc::new(AtomicBool::new(false));
        let register = || -> std::io::Result<()> {
            flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&again))?;
            flag::register(SIGINT, Arc::clone(&again))?;
            for signal in [SIGINT, SIGTERM] {
                flag::register_usize(signal, Arc::clone(&self.pending), signal as usize)?;
            }
            Ok(())
        };
        register().map_err(|cause| Error::environment("cannot listen for signals").cause(cause))?;
        if let Some(at_once) = AT_ONCE.get() {
            at_once.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The signal that came, if one did.
    #[must_use]
    pub fn pending(&self) -> Option<u8> {
        match self.pending.load(Ordering::Relaxed) {
            0 => None,
            signal => u8::try_from(signal).ok(),
        }
    }
}
