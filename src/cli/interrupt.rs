//! Being told to end: Ctrl-C (`SIGINT`) and `SIGTERM`, the notice that batch systems give.
//!
//! Outside of a run a signal ends the program at once, as it does any other. While a run computes, the first one is for the run to
//! hear, which ends well: it finishes its step, and signs what there is. The second one ends the program at once: files are written
//! whole or not at all, so nothing is left half written.

#[cfg(unix)]
pub use self::signals::{exit_code, gracefully, heard, honour, listen, was_honoured};

#[cfg(unix)]
mod signals {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag;

    use crate::failure::{Context, Result};
    use crate::interruption::Interruption;

    /// Whether the next signal ends the program.
    static AT_ONCE: AtomicBool = AtomicBool::new(true);
    /// The last signal that came; 0 is none.
    static SIGNAL: AtomicUsize = AtomicUsize::new(0);
    /// Whether a run ended because of it.
    static HONOURED: AtomicBool = AtomicBool::new(false);

    /// Added to a signal's number: the exit code of what it ended, as shells have it.
    const SIGNALLED: i32 = 128;

    /// Takes both signals from here on.
    pub fn listen() -> Result<()> {
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal must not find what it sets itself.
            flag::register_conditional_shutdown(signal, SIGNALLED + signal, &AT_ONCE)
                .and_then(|_| flag::register_usize(signal, &SIGNAL, signal as usize))
                .and_then(|_| flag::register(signal, &AT_ONCE))
                .context("signals cannot be listened to")?;
        }
        Ok(())
    }

    /// From here on the first signal is for the run to hear.
    pub fn gracefully() {
        if heard().is_none() {
            AT_ONCE.store(false, SeqCst);
        }
    }

    /// Whether somebody wants the run to end.
    pub fn heard() -> Option<Interruption> {
        match SIGNAL.load(SeqCst) as i32 {
            0 => None,
            SIGINT => Some(Interruption::Interrupt),
            _ => Some(Interruption::Terminate),
        }
    }

    /// A run ended because of the signal, and was not completed.
    pub fn honour() {
        HONOURED.store(true, SeqCst);
    }

    /// Whether one did.
    pub fn was_honoured() -> bool {
        HONOURED.load(SeqCst)
    }

    /// What a program exits with whose run was interrupted.
    pub fn exit_code() -> Option<u8> {
        was_honoured().then(|| (SIGNALLED + SIGNAL.load(SeqCst) as i32) as u8)
    }
}

#[cfg(not(unix))]
pub use self::none::{exit_code, gracefully, heard, honour, listen, was_honoured};

/// Where there are no such signals, what ends a program ends it at once.
#[cfg(not(unix))]
mod none {
    use crate::failure::Result;
    use crate::interruption::Interruption;

    pub fn listen() -> Result<()> {
        Ok(())
    }

    pub fn gracefully() {}

    pub fn heard() -> Option<Interruption> {
        None
    }

    pub fn honour() {}

    pub fn was_honoured() -> bool {
        false
    }

    pub fn exit_code() -> Option<u8> {
        None
    }
}
