//! What is answered to HTTP: which path is what, and the headers that every answer carries.
//!
//! | path | is |
//! |---|---|
//! | `GET /ws` | a peer's WebSocket, see [`crate::socket`] |
//! | `GET /`, `GET /CONTENT-ID` | the page, see [`crate::assets`] |
//! | `GET /kept` | the page of what a browser keeps for this site |
//! | `GET /CONTENT-ID.pleach` | a manifest of that content; `?m=DIGEST`: that one and no other |
//! | `PUT /CONTENT-ID.pleach` | gives the server a manifest |
//! | `GET /swarms/CONTENT-ID/forest.json` | who feeds whom there, see [`crate::pictures`] |
//! | `GET /health`, `/stats.json`, `/metrics` | for operators, see [`crate::metrics`] |
//! | `GET /fleet`, `/fleet/…` | machines of the fleet, and those who deliver to them, see [`crate::fleet`] |
//! | `GET /~pleach/…` | nothing: in a page its service worker answers it, from the content that is open there |
//! | any other | a file of the page |

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router, middleware};
use pleach_core::content::{MANIFEST_BYTES_MAX, Manifest};
use pleach_core::ids::{ConnectionId, ContentId, ManifestDigest};
use pleach_core::wire::fleet::token::FleetToken;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::cors::{Any, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use crate::config::ServerConfig;
use crate::driver::{Command, DriverHandle, Stopped, Upload};
use crate::limits::{Gauge, Rate};
use crate::metrics::{Counters, count, prometheus};
use crate::server::Client;
use crate::{assets, fleet, pictures, socket};

/// How long a request may take, its body included; a slower one is answered with 408.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// How long browsers may remember that other sites may ask.
const CORS_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The page may run its own scripts and wasm, talk to any tracker and source (a manifest names them), play and save
/// from blobs and its service worker, and nothing else. Styles may be inline: an element sets its own.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    worker-src 'self' blob:; connect-src 'self' http: https: ws: wss: blob: data:; style-src 'self' 'unsafe-inline'; \
    img-src 'self' blob: data:; media-src 'self' blob: data:; font-src 'self' data:; manifest-src 'self'; \
    frame-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// What all requests share.
pub(crate) struct App {
    pub(crate) config: ServerConfig,
    pub(crate) driver: DriverHandle,
    /// What whoever concerns the fleet must know; none: there is no fleet.
    pub(crate) fleet_token: Option<FleetToken>,
    pub(crate) counters: Arc<Counters>,
    /// TCP connections open.
    pub(crate) connections: Arc<Gauge>,
    /// Peers' sockets open.
    pub(crate) sockets: Arc<Gauge>,
    pub(crate) socket_rate: Rate,
    pub(crate) upload_rate: Rate,
    pub(crate) picture_rate: Rate,
    pub(crate) stun_rate: Arc<Rate>,
    /// The server is ending: everything ends by itself.
    pub(crate) stop: CancellationToken,
    /// The time to end by itself is over.
    pub(crate) cut: CancellationToken,
    /// All that runs for connections, so that the end can wait for it.
    pub(crate) tasks: TaskTracker,
    pub(crate) connections_named: AtomicU64,
}

impl App {
    /// A name for one more socket.
    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connections_named.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether a page of the request's origin may use this tracker. What sends no origin is not a browser.
    pub(crate) fn origin_is_allowed(&self, headers: &HeaderMap) -> bool {
        let allowed = &self.config.allowed_origins;
        let Some(origin) = headers.get(header::ORIGIN).filter(|_| !allowed.is_empty()) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let own =
            origin.split_once("://").is_some_and(|(_, of)| host.is_some_and(|host| host.eq_ignore_ascii_case(of)));
        own || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }
}

pub(crate) fn router(app: Arc<App>) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::PUT])
        .allow_headers([header::CONTENT_TYPE, header::IF_NONE_MATCH])
        .max_age(CORS_MAX_AGE);
    Router::new()
        .route("/ws", get(socket::open))
        .route("/fleet", get(socket::open_agent))
        .route("/fleet/deliveries", post(fleet::routes::deliver))
        .route("/fleet/deliveries/{request}", get(fleet::routes::status))
        .route("/fleet/retry", post(fleet::routes::retry))
        .route("/fleet/report", get(fleet::routes::report))
        .route("/health", get(health))
        .route("/stats.json", get(stats))
        .route("/metrics", get(metrics))
        .route("/swarms/{content}/forest.json", get(pictures::get))
        .route("/", get(async |headers: HeaderMap| assets::serve_page(&headers)))
        .route("/kept", get(async |headers: HeaderMap| assets::serve("kept.html", &headers).ok_or_else(not_found)))
        .route("/{name}", get(get_named).put(put_named))
        .fallback(get_file)
        .method_not_allowed_fallback(async || {
            ErrorJson::new(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done with this path")
        })
        .layer(DefaultBodyLimit::max(MANIFEST_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_MAX))
        .layer(cors)
        .layer(middleware::map_response(async |mut response: Response| {
            add_headers(response.headers_mut());
            response
        }))
        .with_state(app)
}

fn add_headers(headers: &mut HeaderMap) {
    let always: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// An error, told as JSON with one field, `error`.
pub(crate) struct ErrorJson {
    status: StatusCode,
    error: String,
    retry_after: Option<Duration>,
}

impl ErrorJson {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), retry_after: None }
    }

    pub(crate) fn too_many(error: &str, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, error) }
    }
}

impl IntoResponse for ErrorJson {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: String,
        }
        let mut response = (self.status, Json(Body { error: self.error })).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            let wait_s = wait.as_secs().saturating_add(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
        }
        response
    }
}

impl From<Stopped> for ErrorJson {
    fn from(stopped: Stopped) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, stopped.to_string())
    }
}

/// `GET /CONTENT-ID`, `GET /CONTENT-ID.pleach`, `GET /FILE`.
async fn get_named(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    query: Result<Query<ManifestQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ErrorJson> {
    if name.parse::<ContentId>().is_ok() {
        return Ok(assets::serve_page(&headers));
    }
    match content_of_manifest(&name) {
        Some(content) => {
            let Query(query) =
                query.map_err(|error| ErrorJson::new(StatusCode::BAD_REQUEST, format!("m: {}", error.body_text())))?;
            get_manifest(&app, content, query.m, &headers).await
        }
        None => assets::serve(&name, &headers).ok_or_else(not_found),
    }
}

/// Any other path: a file in a folder of the page.
async fn get_file(method: Method, uri: Uri, headers: HeaderMap) -> Result<Response, ErrorJson> {
    if method != Method::GET && method != Method::HEAD {
        return Err(not_found());
    }
    assets::serve(uri.path().trim_start_matches('/'), &headers).ok_or_else(not_found)
}

fn not_found() -> ErrorJson {
    ErrorJson::new(StatusCode::NOT_FOUND, "there is nothing here")
}

fn content_of_manifest(name: &str) -> Option<ContentId> {
    name.strip_suffix(".pleach")?.parse().ok()
}

#[derive(Deserialize)]
struct ManifestQuery {
    m: Option<ManifestDigest>,
}

async fn get_manifest(
    app: &App,
    content: ContentId,
    digest: Option<ManifestDigest>,
    headers: &HeaderMap,
) -> Result<Response, ErrorJson> {
    let held = app.driver.ask(|reply| Command::Fetch { content, digest, reply }).await?;
    let Some((held, bytes)) = held else {
        return Err(ErrorJson::new(StatusCode::NOT_FOUND, "this manifest is not held here, or not any more"));
    };
    let etag = format!("\"{held}\"");
    // By its digest it can never be another.
    let caching = if digest.is_some() { "public, max-age=31536000, immutable" } else { "no-cache" };
    let common = [(header::ETAG, etag.as_str()), (header::CACHE_CONTROL, caching)];
    if assets::holds_tag(headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    Ok((common, [(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// What is told of a manifest that was taken.
#[derive(Serialize)]
struct UploadedJson {
    content: ContentId,
    digest: ManifestDigest,
}

/// `PUT /CONTENT-ID.pleach`.
async fn put_named(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, ErrorJson> {
    let result = put_manifest(&app, &client, &name, request).await;
    count(if result.is_ok() { &app.counters.uploads } else { &app.counters.uploads_refused });
    result
}

/// The body is read only when all else allows it.
async fn put_manifest(app: &App, client: &Client, name: &str, request: Request) -> Result<Response, ErrorJson> {
    let headers = request.headers();
    let content = content_of_manifest(name).ok_or_else(not_found)?;
    if !app.origin_is_allowed(headers) {
        return Err(ErrorJson::new(StatusCode::FORBIDDEN, "pages of this site may not use this tracker"));
    }
    let address = client.address(&app.config.trusted_proxies, headers);
    if let Err(wait) = app.upload_rate.check(address) {
        return Err(ErrorJson::too_many("too many manifests from your address", wait));
    }
    let bytes = Bytes::from_request(request, &()).await.map_err(|error| refused_body(&error))?;
    let manifest =
        Manifest::parse(&bytes).map_err(|error| ErrorJson::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    if manifest.id() != content {
        let error = format!("this is a manifest of {}, not of {content}", manifest.id());
        return Err(ErrorJson::new(StatusCode::BAD_REQUEST, error));
    }
    let manifest = Upload::from(&manifest);
    let published = app.driver.ask(|reply| Command::Publish { manifest, pinned: false, reply }).await?;
    let published = published.map_err(|full| ErrorJson::new(StatusCode::INSUFFICIENT_STORAGE, full.to_string()))?;
    let status = if published.new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(UploadedJson { content, digest: published.digest })).into_response())
}

fn refused_body(error: &BytesRejection) -> ErrorJson {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorJson::new(StatusCode::PAYLOAD_TOO_LARGE, "a manifest has at most 1 MiB"),
        status => ErrorJson::new(status, error.body_text()),
    }
}

/// Alive, and the driver answers.
async fn health(State(app): State<Arc<App>>) -> Result<&'static str, ErrorJson> {
    app.driver.ask(|reply| Command::Stats { reply }).await?;
    Ok("ok\n")
}

async fn stats(State(app): State<Arc<App>>) -> Result<Response, ErrorJson> {
    let stats = app.driver.ask(|reply| Command::Stats { reply }).await?;
    let json = Json(stats.json(app.config.stats_swarms));
    Ok(([(header::CACHE_CONTROL, "no-store")], json).into_response())
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, ErrorJson> {
    let stats = app.driver.ask(|reply| Command::Stats { reply }).await?;
    let text = prometheus(&stats, &app.counters, app.connections.total(), app.sockets.total());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
