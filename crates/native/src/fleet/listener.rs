//! Where an agent takes transport requests from other agents: `POST /fleet/request`, over HTTP.
//!
//! Whoever sends one is not asked who it is: a request is believed for what the tracker signed. What it can cost is
//! bounded: [`CONNECTIONS_MAX`] at a time, each for one request of at most a mebibyte, within [`CONNECTION_MAX`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use pleach_core::fleet::PostAnswer;
use pleach_core::wire::fleet::REQUEST_BYTES_MAX;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};

/// The path.
pub(super) const PATH: &str = "/fleet/request";
/// Most connections at a time. One more waits in the system's queue.
const CONNECTIONS_MAX: usize = 32;
/// A connection takes no longer, from its first byte to the answer.
const CONNECTION_MAX: Duration = Duration::from_secs(10);
/// When accepting fails (no file descriptors left), it is tried again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A request that came, and where its answer goes.
pub(super) type Posted = (String, oneshot::Sender<PostAnswer>);

/// Takes requests until nobody wants them any more.
pub(super) async fn serve(listener: TcpListener, posted: mpsc::Sender<Posted>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = posted.closed() => return,
        };
        let Ok((stream, _)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let posted = posted.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, posted.clone()));
            let connection = hyper::server::conn::http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // A broken one concerns only who sent it, and it will try another way.
            let _ = timeout(CONNECTION_MAX, connection).await;
            drop(place);
        });
    }
}

async fn answer(request: Request<Incoming>, posted: mpsc::Sender<Posted>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match take(request, posted).await {
        Ok(PostAnswer::Taken) => (StatusCode::ACCEPTED, "taken\n".to_owned()),
        Ok(PostAnswer::Known) => (StatusCode::OK, "known\n".to_owned()),
        Ok(PostAnswer::Refused(reason)) => (StatusCode::FORBIDDEN, format!("{reason}\n")),
        Err(status) => (status, format!("{status}\n")),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

async fn take(request: Request<Incoming>, posted: mpsc::Sender<Posted>) -> Result<PostAnswer, StatusCode> {
    if request.uri().path() != PATH {
        return Err(StatusCode::NOT_FOUND);
    }
    if request.method() != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let body = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await;
    let body = body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes();
    let text = String::from_utf8(body.into()).map_err(|_| StatusCode::BAD_REQUEST)?;
    let (sender, answer) = oneshot::channel();
    posted.send((text, sender)).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answer.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
