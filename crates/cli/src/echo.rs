//! The terminal's echo, which is off while a password is typed and must not stay so, however the prompt ends.

#[cfg(unix)]
use std::sync::OnceLock;

#[cfg(unix)]
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// The terminal at stdin as it was before the first prompt.
#[cfg(unix)]
static BEFORE: OnceLock<Termios> = OnceLock::new();

/// Before a prompt.
pub(crate) fn remember() {
    #[cfg(unix)]
    if let Ok(now) = tcgetattr(std::io::stdin()) {
        BEFORE.get_or_init(|| now);
    }
}

/// After a prompt that was left before it was answered: its thread still waits for a line, and turns nothing on again. Does
/// nothing without a prompt before it, nor on Windows, where a console is asked in another way.
pub(crate) fn restore() {
    #[cfg(unix)]
    if let Some(before) = BEFORE.get() {
        // A terminal that is gone has no echo.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
    }
}
