//! Logs, on stderr: what `RUST_LOG` says, else what `-v` says. They never tear a progress bar.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::OutputArgs;
use crate::ui::Ui;

/// Starts logging for the process.
pub(crate) fn init(args: &OutputArgs, ui: &Ui) {
    // The WebRTC crates warn of every candidate that does not work, which is the ordinary course of things.
    let default = match (args.quiet, args.verbose) {
        (true, _) => "off",
        (false, 0) => "off,pleach=warn,pleach_core=warn,pleach_native=warn,pleach_tracker=warn",
        (false, 1) => "off,pleach=info,pleach_core=info,pleach_native=info,pleach_tracker=info",
        (false, 2) => "info,pleach=debug,pleach_core=debug,pleach_native=debug,pleach_tracker=debug",
        (false, _) => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(console::colors_enabled_stderr())
        .with_target(args.verbose > 1)
        .with_writer(BesideBars(ui.clone()))
        .init();
}

/// Takes bars away while a line is written.
#[derive(Clone)]
struct BesideBars(Ui);

impl Write for BesideBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.beside_bars(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for BesideBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
