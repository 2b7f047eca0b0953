//! Ctrl-C and SIGTERM: the first asks the command to end cleanly, a second Ctrl-C ends the process at once.

use tokio::sync::watch;

use crate::echo;
use crate::exit::{Code, Error};

/// Hears of the first signal; clones hear of the same.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<Option<Code>>);

impl Interrupt {
    /// Begins to listen. Must be called on the runtime, once.
    pub(crate) fn listen() -> Self {
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            sender.send_replace(Some(next_signal().await));
            let second = next_signal().await;
            echo::restore();
            // Nothing is lost that is not written already: a partial download survives any end.
            std::process::exit(second as i32);
        });
        Self(receiver)
    }

    /// Which signal came, as soon as one has come.
    pub(crate) async fn wait(&mut self) -> Code {
        match self.0.wait_for(Option::is_some).await {
            Ok(code) => code.unwrap_or(Code::Interrupted),
            // The listener lives as long as the runtime.
            Err(_) => std::future::pending().await,
        }
    }

    /// The error with which a command ends that was interrupted before it was done.
    pub(crate) async fn error(&mut self) -> Error {
        Error::new(self.wait().await, "")
    }
}

#[cfg(unix)]
async fn next_signal() -> Code {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return ctrl_c().await };
    tokio::select! {
        code = ctrl_c() => code,
        _ = terminate.recv() => Code::Terminated,
    }
}

#[cfg(not(unix))]
async fn next_signal() -> Code {
    ctrl_c().await
}

async fn ctrl_c() -> Code {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Code::Interrupted,
        // Without a handler the system ends the process on Ctrl-C, which is as good.
        Err(_) => std::future::pending().await,
    }
}
