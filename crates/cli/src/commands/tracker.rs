//! `pleach tracker`: the server alone.

use pleach_tracker::{ConfigError, Server, ServerConfig};

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
    let server = Server::bind(config).await?;
    let base = host::link_base(None, server.local_addr())?;
    let address = base.strip_prefix("http").unwrap_or(&base);
    ui.say("the tracker is at:");
    write_line(format_args!("{scheme}{address}"));
    let shutdown = async {
        interrupt.wait().await;
    };
    server.run(shutdown).await;
    ui.say("stopped");
    Ok(())
}

fn explain(error: ConfigError) -> Error {
    match error {
        ConfigError::Read { .. } => Error::new(Code::Storage, error.to_string()),
        _ => Error::usage(error.to_string()).hint("pleach tracker --print-config shows all settings"),
    }
}
