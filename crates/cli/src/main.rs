//! The `pleach` command.
//!
//! Each command is a module that puts `pleach-native` (a peer) and `pleach-tracker` (a server) together. What they
//! share is around them: arguments, exit codes, what is shown, signals.
//!
//! Machine output (the link, a JSON object, the content itself) goes to stdout and nothing else does; everything for
//! people goes to stderr.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod delivery_view;
mod describing;
mod echo;
mod exit;
mod fleet_args;
mod host;
mod interrupt;
mod logging;
mod moment;
mod qr;
mod secrets;
mod seeding;
mod segment_list;
mod source;
mod telling;
mod ui;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use args::{Cli, Command};
use exit::{Code, Error, Result};
use interrupt::Interrupt;
use ui::Ui;

/// How long threads that still copy or write may take after a command has ended.
const SHUTDOWN_WAIT_MAX: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.output.quiet);
    logging::init(&cli.output, &ui);
    match run(cli.command, &ui) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report();
            error.exit_code()
        }
    }
}

fn run(command: Command, ui: &Ui) -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Failure, format!("the system gives no threads: {error}")))?;
    let result = runtime.block_on(async {
        let interrupt = Interrupt::listen();
        match command {
            Command::Share(args) => commands::share::run(args, ui, interrupt).await,
            Command::Get(args) => commands::get::run(args, ui, interrupt).await,
            Command::Seed(args) => commands::seed::run(args, ui, interrupt).await,
            Command::Publish(args) => commands::publish::run(args, ui, interrupt).await,
            Command::Tracker(args) => commands::tracker::run(*args, ui, interrupt).await,
            Command::Inspect(args) => commands::inspect::run(args, ui).await,
            Command::Agent(args) => commands::agent::run(*args, ui, interrupt).await,
            Command::Deliver(args) => commands::deliver::run(*args, ui, interrupt).await,
            Command::Report(args) => commands::report::run(args, interrupt).await,
        }
    });
    runtime.shutdown_timeout(SHUTDOWN_WAIT_MAX);
    result
}
