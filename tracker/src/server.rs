//! The server: binds the ports, accepts connections within their limits, and ends in bounded time.
//!
//! Connections are accepted here rather than by a ready-made HTTP server, for three reasons: the limits by address must
//! hold before a byte is read, a connection that sends nothing must not live for ever, and the end must reach
//! everything.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use pleach_core::content::{MANIFEST_BYTES_MAX, Manifest, ManifestError};
use pleach_core::fleet::DispatcherConfig;
use pleach_core::tracker::{ClusterConfig, SigningSeed, Tracker};
use pleach_core::wire::fleet::token::FleetToken;
use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::cluster::{self, Links};
use crate::config::{ConfigError, ServerConfig};
use crate::driver::{Command, Driver, DriverHandle, Published, Stopped, Upload};
use crate::fleet::{Fleet, FleetStart};
use crate::ledger::{Kept, Ledger, LedgerError};
use crate::limits::{Address, FORGET_EVERY, Gauge, Place, Rate};
use crate::manifests::ManifestsFull;
use crate::metrics::{Counters, Stats, count};
use crate::routes::{App, router};
use crate::{assets, secret_file, stun, tls};

/// A TLS handshake takes no longer; else the connection is closed.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A request's head comes within this time, counted from when the connection was last idle; else it is closed.
const HEAD_MAX: Duration = Duration::from_secs(20);
/// Longest request head, and most that is read ahead of a body.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// When accepting fails (no file descriptors left), it is tried again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Tries to find a port that is free for TCP and UDP, where any will do.
const PORT_TRIES_MAX: usize = 16;
/// How long tasks that were cut may take to notice.
const CUT_MAX: Duration = Duration::from_secs(1);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its settings make no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port could not be taken.
    #[error("cannot listen on {address} ({what}): {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// `TCP`, or `UDP, for STUN`.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The certificate or its key could not be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// The file of the signing key could not be used.
    #[error("signing key: {0}")]
    SigningKey(String),
    /// The file of the fleet's token could not be used.
    #[error("fleet token: {0}")]
    FleetToken(String),
    /// The ledger could not be opened.
    #[error("ledger: {0}")]
    Ledger(#[from] LedgerError),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// Why a manifest was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It is longer than any may be.
    #[error("the manifest has {0} bytes, more than {MANIFEST_BYTES_MAX}")]
    TooLong(usize),
    /// It is not valid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// There is no room.
    #[error(transparent)]
    Full(#[from] ManifestsFull),
    /// The server has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A tracker that listens. [`run`](Self::run) serves; dropping it ends all.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    local_addr: SocketAddr,
    stun: Option<UdpSocket>,
    stun_addr: Option<SocketAddr>,
    tls: Option<TlsAcceptor>,
    /// Ends the driver with the server.
    _stop: DropGuard,
    /// Ends the connections with the server.
    _cut: DropGuard,
}

/// A way to a running server from within its process.
#[derive(Clone)]
pub struct ServerHandle {
    driver: DriverHandle,
}

impl ServerHandle {
    /// Gives the server a manifest that it keeps for as long as it runs.
    pub async fn publish_manifest(&self, bytes: &[u8]) -> Result<Published, PublishError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(PublishError::TooLong(bytes.len()));
        }
        let manifest = Upload::from(&Manifest::parse(bytes)?);
        Ok(self.driver.ask(|reply| Command::Publish { manifest, pinned: true, reply }).await??)
    }

    /// A snapshot, at most a second old.
    pub async fn stats(&self) -> Result<Arc<Stats>, Stopped> {
        self.driver.ask(|reply| Command::Stats { reply }).await
    }
}

impl Server {
    /// Takes the ports and starts the state machine. Connections are served from [`run`](Self::run) on. It is one tracker
    /// alone, whatever [`and_listen`](ServerConfig::and_listen) says.
    ///
    /// Must be called within a tokio runtime.
    pub async fn bind(config: ServerConfig) -> Result<Self, Error> {
        let mut servers = Self::bind_all(ServerConfig { and_listen: Vec::new(), ..config }).await?;
        Ok(servers.pop().expect("one address, one server"))
    }

    /// As [`bind`](Self::bind), one for each address of [`listen`](ServerConfig::listen) and
    /// [`and_listen`](ServerConfig::and_listen), in this order. They run all swarms together, and each is run and stopped by
    /// itself: when one goes, the others take its swarms over.
    pub async fn bind_all(config: ServerConfig) -> Result<Vec<Self>, Error> {
        config.check()?;
        let tls = load_tls(config.tls_cert.as_ref(), config.tls_key.as_ref()).await?;
        let mut ports = Vec::new();
        for listen in [config.listen].iter().chain(&config.and_listen) {
            ports.push(Ports::take(ServerConfig { listen: *listen, ..config.clone() }).await?);
        }
        if !assets::PAGE_IS_BUILT {
            tracing::warn!("the page is not built in: `cargo xtask build`, then build the tracker again");
        }
        let addresses: Vec<SocketAddr> = ports.iter().map(|ports| ports.local_addr).collect();
        let places = cluster::places(&addresses, config.sockets_max).into_iter();
        ports
            .into_iter()
            .zip(places)
            .map(|(ports, (cluster, links))| Self::start(ports, tls.clone(), cluster, links))
            .collect()
    }

    fn start(
        ports: Ports,
        tls: Option<TlsAcceptor>,
        cluster: Option<ClusterConfig>,
        links: Links,
    ) -> Result<Self, Error> {
        let Ports { config, listener, local_addr, stun, stun_addr } = ports;
        let seed = random()?;
        let mut tracker_config = config.tracker(stun_addr.map(|addr| addr.port()));
        tracker_config.cluster = cluster;
        if let Some(path) = &config.signing_key {
            let seed = secret_file::load_or_make(path).map_err(Error::SigningKey)?;
            tracker_config.signing_seed = Some(SigningSeed(seed));
        }
        let mut fleet = begin_fleet(&config, tracker_config.signing_seed)?;
        let manifests = fleet.as_mut().map(|fleet| std::mem::take(&mut fleet.kept.manifests)).unwrap_or_default();
        let fleet_token = fleet.as_ref().map(|fleet| fleet.config.token);
        let counters = Arc::new(Counters::default());
        let (mut driver, handle) = Driver::new(
            |now| Tracker::new(tracker_config, seed, now),
            fleet.map(Fleet::new),
            links,
            config.manifests_bytes_max,
            Arc::clone(&counters),
        );
        driver.restore(&manifests);
        let app = Arc::new(new_app(config, handle, fleet_token, counters));
        app.tasks.spawn(driver.run(app.stop.clone()));
        Ok(Self {
            _stop: app.stop.clone().drop_guard(),
            _cut: app.cut.clone().drop_guard(),
            app,
            listener,
            local_addr,
            stun,
            stun_addr,
            tls,
        })
    }

    /// Where it listens, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where STUN listens, if it does.
    pub fn stun_addr(&self) -> Option<SocketAddr> {
        self.stun_addr
    }

    /// A way to it from within the process; works before and while it runs.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { driver: self.app.driver.clone() }
    }

    /// Serves until `shutdown`; then accepts no more, tells the sockets, and returns within `shutdown_ms_max` and a
    /// second.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { app, listener, stun, tls, local_addr, stun_addr, _stop, _cut } = self;
        tracing::info!(%local_addr, ?stun_addr, tls = tls.is_some(), "the tracker listens");
        if let Some(socket) = stun {
            let stun = stun::serve(socket, Arc::clone(&app.stun_rate), Arc::clone(&app.counters));
            app.tasks.spawn(app.stop.clone().run_until_cancelled_owned(stun));
        }
        app.tasks.spawn(app.stop.clone().run_until_cancelled_owned(forget_idle(Arc::clone(&app))));

        tokio::select! {
            () = accept(&app, &listener, tls.as_ref()) => {}
            () = shutdown => {}
        }
        drop(listener);
        tracing::info!(sockets = app.sockets.total(), "the tracker stops");
        app.stop.cancel();
        app.tasks.close();
        if timeout(Duration::from_millis(app.config.shutdown_ms_max), app.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = app.tasks.len(), "cutting what did not end by itself");
            app.cut.cancel();
            let _ = timeout(CUT_MAX, app.tasks.wait()).await;
        }
    }
}

/// What a server listens at.
struct Ports {
    config: ServerConfig,
    listener: TcpListener,
    local_addr: SocketAddr,
    stun: Option<UdpSocket>,
    stun_addr: Option<SocketAddr>,
}

impl Ports {
    async fn take(config: ServerConfig) -> Result<Self, Error> {
        let (listener, stun) = bind_ports(&config).await?;
        let local = |addr: io::Result<SocketAddr>| {
            addr.map_err(|source| Error::Listen { address: config.listen, what: "TCP", source })
        };
        let local_addr = local(listener.local_addr())?;
        let stun_addr = stun.as_ref().map(UdpSocket::local_addr).map(local).transpose()?;
        Ok(Self { config, listener, local_addr, stun, stun_addr })
    }
}

fn random() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).map_err(|error| Error::Random(error.to_string()))?;
    Ok(seed)
}

/// What the fleet begins with, if there is one: its token, and what the ledger has kept.
fn begin_fleet(config: &ServerConfig, signing_seed: Option<SigningSeed>) -> Result<Option<FleetStart>, Error> {
    let Some(path) = &config.fleet_token_file else { return Ok(None) };
    let token = FleetToken::from_bytes(secret_file::load_or_make(path).map_err(Error::FleetToken)?);
    let signing_seed = signing_seed.map_or_else(|| random().map(SigningSeed), Ok)?;
    let (ledger, kept) = match config.ledger_path() {
        Some(path) => Ledger::open(&path).map(|(ledger, kept)| (Some(ledger), kept))?,
        None => (None, Kept::default()),
    };
    let dispatcher = DispatcherConfig { fan_out: config.fleet_fan_out, ..DispatcherConfig::new(token, signing_seed) };
    Ok(Some(FleetStart { config: dispatcher, kept, ledger, seed: random()? }))
}

fn new_app(
    config: ServerConfig,
    driver: DriverHandle,
    fleet_token: Option<FleetToken>,
    counters: Arc<Counters>,
) -> App {
    App {
        driver,
        fleet_token,
        counters,
        connections: Gauge::new(config.connections_max, config.connections_per_address_max),
        sockets: Gauge::new(config.sockets_max, config.sockets_per_address_max),
        socket_rate: Rate::per_second(config.new_sockets_per_address_per_s_max),
        upload_rate: Rate::per_minute(config.uploads_per_address_per_min_max),
        picture_rate: Rate::per_second(config.pictures_per_address_per_s_max),
        stun_rate: Arc::new(Rate::per_second(config.stun_per_address_per_s_max)),
        stop: CancellationToken::new(),
        cut: CancellationToken::new(),
        tasks: TaskTracker::new(),
        connections_named: AtomicU64::new(1),
        config,
    }
}

async fn load_tls(cert: Option<&PathBuf>, key: Option<&PathBuf>) -> Result<Option<TlsAcceptor>, Error> {
    let (Some(cert), Some(key)) = (cert.cloned(), key.cloned()) else {
        return Ok(None);
    };
    let loaded = tokio::task::spawn_blocking(move || tls::load(&cert, &key)).await;
    let config = loaded.unwrap_or_else(|error| Err(error.to_string())).map_err(Error::Tls)?;
    Ok(Some(TlsAcceptor::from(config)))
}

/// TCP, and UDP for STUN, which takes the same port number if no other is asked for.
async fn bind_ports(config: &ServerConfig) -> Result<(TcpListener, Option<UdpSocket>), Error> {
    let mut tries_left = PORT_TRIES_MAX;
    loop {
        let tcp_failed = |source| Error::Listen { address: config.listen, what: "TCP", source };
        let listener = TcpListener::bind(config.listen).await.map_err(tcp_failed)?;
        if !config.stun {
            return Ok((listener, None));
        }
        let same = listener.local_addr().map_err(tcp_failed)?;
        let address = config.stun_listen.unwrap_or(same);
        match UdpSocket::bind(address).await {
            Ok(socket) => return Ok((listener, Some(socket))),
            // Any port would do and this one is taken for UDP: another.
            Err(error) if is_any_port(config) && error.kind() == io::ErrorKind::AddrInUse && tries_left > 0 => {
                tries_left -= 1;
            }
            Err(source) => {
                return Err(Error::Listen { address, what: "UDP, for STUN", source });
            }
        }
    }
}

fn is_any_port(config: &ServerConfig) -> bool {
    config.listen.port() == 0 && config.stun_listen.is_none()
}

async fn forget_idle(app: Arc<App>) {
    loop {
        tokio::time::sleep(FORGET_EVERY).await;
        for rate in [&app.socket_rate, &app.upload_rate, &app.picture_rate, &app.stun_rate] {
            rate.forget_idle();
        }
    }
}

/// Who sends a request; holds the connection's place for as long as anything of it lives, its WebSocket too.
#[derive(Clone)]
pub(crate) struct Client {
    peer: IpAddr,
    _place: Arc<Place>,
}

impl Client {
    /// Whom to count. Behind a trusted proxy, it is the last address in `X-Forwarded-For` that is none of those.
    pub(crate) fn address(&self, trusted_proxies: &[IpAddr], headers: &HeaderMap) -> Address {
        forwarded_for(self.peer, trusted_proxies, headers).into()
    }
}

fn forwarded_for(peer: IpAddr, trusted_proxies: &[IpAddr], headers: &HeaderMap) -> IpAddr {
    if !trusted_proxies.contains(&peer) {
        return peer;
    }
    let headers: Vec<_> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    // A proxy appends whom it serves, so only what stands right of the last stranger can be believed.
    let hops = headers.iter().rev().flat_map(|value| value.rsplit(','));
    hops.map_while(|hop| hop.trim().parse().ok()).find(|ip| !trusted_proxies.contains(ip)).unwrap_or(peer)
}

async fn accept(app: &Arc<App>, listener: &TcpListener, tls: Option<&TlsAcceptor>) {
    let router = router(Arc::clone(app));
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let peer = from.ip().to_canonical();
        let counted = (!app.config.trusted_proxies.contains(&peer)).then(|| peer.into());
        let Ok(place) = app.connections.enter(counted) else {
            count(&app.counters.connections_refused);
            continue;
        };
        count(&app.counters.connections);
        let client = Client { peer, _place: Arc::new(place) };
        let serving = serve_connection(stream, tls.cloned(), router.clone(), client, app.stop.clone());
        app.tasks.spawn(app.cut.clone().run_until_cancelled_owned(serving));
    }
}

async fn serve_connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    client: Client,
    stop: CancellationToken,
) {
    // Messages are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve_http(stream, router, client, stop).await,
        Some(tls) => match timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve_http(stream, router, client, stop).await,
            Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
            Err(_) => tracing::debug!("the TLS handshake takes too long"),
        },
    }
}

async fn serve_http<S>(stream: S, router: Router, client: Client, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(client.clone());
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            // Answers what was asked, then closes.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection broke");
    }
}
