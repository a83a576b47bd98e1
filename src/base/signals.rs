//! Signals that ask the program to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::{Error, Result};

/// Listens for SIGINT (Ctrl-C) and SIGTERM (`docker stop`).
#[derive(Clone, Debug, Default)]
pub struct Signals {
    pending: Arc<AtomicUsize>,
}

impl Signals {
    /// Starts to listen. A second SIGINT leaves at once.
    ///
    /// # Errors
    /// If the operating system does not allow it.
    pub fn listen() -> Result<Self> {
        let signals = Self::default();
        let again = Arc::new(AtomicBool::new(false));
        let register = || -> std::io::Result<()> {
            flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&again))?;
            flag::register(SIGINT, Arc::clone(&again))?;
            for signal in [SIGINT, SIGTERM] {
                flag::register_usize(signal, Arc::clone(&signals.pending), signal as usize)?;
            }
            Ok(())
        };
        register().map_err(|cause| Error::environment("cannot listen for signals").cause(cause))?;
        Ok(signals)
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
