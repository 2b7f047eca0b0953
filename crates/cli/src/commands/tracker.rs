//! `pleach tracker`: the server alone, or several that run swarms together.

use pleach_tracker::{ConfigError, Server, ServerConfig};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::args::TrackerArgs;
use crate::exit::{Code, Error, Result};
use crate::host;
use crate::interrupt::Interrupt;
use crate::telling::write_line;
use crate::ui::Ui;

pub(crate) async fn run(args: TrackerArgs, ui: &Ui, mut interrupt: Interrupt) -> Result {
    if args.print_config {
        write_line(ServerConfig::print().trim_end());
        return Ok(());
    }
    let tls = |config: &ServerConfig| config.tls_cert.is_some();
    let config = ServerConfig::load(args.options, args.config.as_deref()).map_err(explain)?;
    let scheme = if tls(&config) { "https" } else { "http" };
    let servers = Server::bind_all(config).await?;
    match servers.len() {
        1 => ui.say("the tracker is at:"),
        count => ui.say(format_args!("{count} trackers run all swarms together, at:")),
    }
    for server in &servers {
        let base = host::link_base(None, server.local_addr())?;
        let address = base.strip_prefix("http").unwrap_or(&base);
        write_line(format_args!("{scheme}{address}"));
    }
    let (stop, stopping) = watch::channel(());
    let run = |server: Server| {
        let mut stopping = stopping.clone();
        // Until the sender is dropped.
        server.run(async move { while stopping.changed().await.is_ok() {} })
    };
    let mut running: JoinSet<()> = servers.into_iter().map(run).collect();
    interrupt.wait().await;
    drop(stop);
    while running.join_next().await.is_some() {}
    ui.say("stopped");
    Ok(())
}

fn explain(error: ConfigError) -> Error {
    match error {
        ConfigError::Read { .. } => Error::new(Code::Storage, error.to_string()),
        _ => Error::usage(error.to_string()).hint("pleach tracker --print-config shows all settings"),
    }
}
