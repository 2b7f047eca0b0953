//! `pleach share FILE|DIR…`: tracker, STUN, page and seeder in one process.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use pleach_core::content::Link;
use pleach_tracker::{Error as ServerError, Server, ServerConfig};
use tokio::sync::oneshot;

use crate::args::ShareArgs;
use crate::describing::describe_size;
use crate::exit::{Code, Error, Result};
use crate::interrupt::Interrupt;
use crate::seeding;
use crate::telling::tell_link;
use crate::ui::Ui;
use crate::{host, qr};

/// Where the page is when nothing else is asked for.
const DEFAULT_PORT: u16 = 8080;

pub(crate) async fn run(args: ShareArgs, ui: &Ui, mut interrupt: Interrupt) -> Result {
    let prepared = seeding::prepare(&args.seeding, None, ui, &mut interrupt).await?;
    let server = bind(&args).await?;
    let listening = server.local_addr();
    let published = server.handle().publish_manifest(prepared.manifest.as_bytes()).await;
    published.map_err(|error| Error::new(Code::Failure, error.to_string()))?;

    let (id, digest) = (prepared.manifest.id(), Some(prepared.manifest.digest()));
    let link = prepared.with_key(Link::new(&host::link_base(args.host.as_deref(), listening)?, id, digest)?)?;
    let size = describe_size(prepared.listing.files().len(), prepared.listing.layout().size_bytes());
    ui.say(format_args!("{}, {size}", prepared.listing.saved_name()));
    announce(&link, &args, ui);

    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async {
        // Ends with the message, and also when the sender is gone.
        let _ = stopped.await;
    }));
    // The seeder reaches its own server by the shortest way, whatever the link says.
    let own = Link::new(&host::own_base(listening), id, digest)?;
    let result = seeding::give(prepared, &args.seeding, &own, ui, interrupt).await;
    let _ = stop.send(());
    let _ = serving.await;
    result
}

/// Takes the port that was asked for, or else the usual one, or else any.
async fn bind(args: &ShareArgs) -> Result<Server> {
    let usual = SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT));
    let bound = Server::bind(config(args, args.listen.unwrap_or(usual))).await;
    let bound = match bound {
        Err(ServerError::Listen { source, .. }) if args.listen.is_none() && is_taken(source.kind()) => {
            tracing::info!("port {DEFAULT_PORT} is taken; using a free one");
            Server::bind(config(args, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))).await
        }
        bound => bound,
    };
    bound.map_err(Error::from)
}

fn is_taken(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}

fn config(args: &ShareArgs, listen: SocketAddr) -> ServerConfig {
    let mut config = ServerConfig { listen, topology: args.topology, ..ServerConfig::default() };
    if let Some(max_peers) = args.max_peers {
        // The seeder is one of them.
        config.peers_per_swarm_max = max_peers as usize + 1;
    }
    config
}

/// The link on stdout, the code on stderr.
fn announce(link: &Link, args: &ShareArgs, ui: &Ui) {
    let link = link.to_string();
    if ui.is_terminal()
        && !args.no_qr
        && let Some(code) = qr::render(&link)
    {
        ui.say(code);
    }
    ui.say("open this link in a browser, or `pleach get` it:");
    ui.beside_bars(|| tell_link(&link, args.seeding.json));
}
