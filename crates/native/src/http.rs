//! Manifests over HTTP: `GET` and `PUT` of `/<content id>.pleach` at a tracker or any web server; and what fleets say over
//! it.
//!
//! A manifest is small and decides everything after it, so the client is strict: a limit on bytes and time, few
//! redirects, and errors that say what to check. Proxies are not used, because the socket and the links of the same
//! transfer could not use them either.

use std::net::SocketAddr;
use std::time::Duration;

pub use pleach_core::content::MANIFEST_BYTES_MAX;
use pleach_core::ids::ManifestDigest;
use reqwest::{Client, Response, StatusCode, redirect};
use url::Url;

use crate::tls::{self, TlsError};

/// Longest wait for a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest wait for all of a manifest.
const REQUEST_WAIT_MAX: Duration = Duration::from_secs(30);
/// Longest wait for another agent to take a transport request.
const AGENT_WAIT_MAX: Duration = Duration::from_secs(3);
/// Most redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// Why a manifest could not be had or left.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// Whom.
        host: String,
        /// For people.
        reason: String,
    },
    /// No answer in time.
    #[error("{host} did not answer in time")]
    Timeout {
        /// Who.
        host: String,
    },
    /// It answered that there is no such thing.
    #[error("{host} does not have it (404): nobody shares it there any more, or the link is wrong")]
    NotFound {
        /// Who.
        host: String,
    },
    /// It answered something else.
    #[error("{host} answered {status}")]
    Status {
        /// Who.
        host: String,
        /// What.
        status: StatusCode,
    },
    /// More than [`MANIFEST_BYTES_MAX`], or than another answer may have.
    #[error("{host} sent more than a manifest may have ({MANIFEST_BYTES_MAX} bytes): this is no Pleach link")]
    TooLarge {
        /// Who.
        host: String,
    },
    /// Not the bytes that the link promised.
    #[error("{host} sent another manifest than the link names")]
    Digest {
        /// Who.
        host: String,
    },
    /// The connection broke.
    #[error("the connection to {host} failed: {reason}")]
    Broken {
        /// Whom.
        host: String,
        /// For people.
        reason: String,
    },
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl HttpError {
    /// Whether it may work later, with everything as it is.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. } => true,
            Self::Status { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound { .. } | Self::TooLarge { .. } | Self::Digest { .. } | Self::Tls(_) => false,
        }
    }
}

/// Fetches a manifest. With a digest, only that manifest is taken.
pub async fn get_manifest(url: &Url, digest: Option<&ManifestDigest>) -> Result<Vec<u8>, HttpError> {
    let host = host_of(url);
    let response = client(url)?.get(url.clone()).send().await.map_err(|error| explain(&host, &error))?;
    let bytes = body(check_status(response, &host)?, &host, MANIFEST_BYTES_MAX).await?;
    match digest {
        Some(digest) if ManifestDigest::of(&bytes) != *digest => Err(HttpError::Digest { host }),
        _ => Ok(bytes),
    }
}

/// Leaves a manifest at a tracker.
pub async fn put_manifest(url: &Url, manifest: Vec<u8>) -> Result<(), HttpError> {
    let host = host_of(url);
    let request = client(url)?.put(url.clone()).body(manifest);
    let response = request.send().await.map_err(|error| explain(&host, &error))?;
    check_status(response, &host).map(drop)
}

/// Sends a transport request to another agent, once: who can't be reached at once is told by another way.
pub(crate) async fn post_to_agent(address: SocketAddr, path: &str, request: String) -> Result<(), HttpError> {
    let host = address.to_string();
    let url = Url::parse(&format!("http://{address}{path}"));
    let url = url.map_err(|error| HttpError::Unreachable { host: host.clone(), reason: error.to_string() })?;
    let request = client(&url)?.post(url).timeout(AGENT_WAIT_MAX).body(request);
    let response = request.send().await.map_err(|error| explain(&host, &error))?;
    check_status(response, &host).map(drop)
}

pub(crate) fn client(url: &Url) -> Result<Client, HttpError> {
    let builder = Client::builder()
        .user_agent(crate::AGENT)
        .connect_timeout(CONNECT_WAIT_MAX)
        .timeout(REQUEST_WAIT_MAX)
        .redirect(redirect::Policy::limited(REDIRECTS_MAX))
        .no_proxy();
    let tls = tls::client_config_for(url.scheme())?;
    builder
        .tls_backend_preconfigured(rustls::ClientConfig::clone(&tls))
        .build()
        .map_err(|error| HttpError::Unreachable { host: host_of(url), reason: innermost(&error) })
}

fn check_status(response: Response, host: &str) -> Result<Response, HttpError> {
    match response.status() {
        status if status.is_success() => Ok(response),
        StatusCode::NOT_FOUND => Err(HttpError::NotFound { host: host.into() }),
        status => Err(HttpError::Status { host: host.into(), status }),
    }
}

/// The whole of an answer, unless it is longer than it may be.
pub(crate) async fn body(mut response: Response, host: &str, bytes_max: usize) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(host, &error))? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(HttpError::TooLarge { host: host.into() });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

pub(crate) fn explain(host: &str, error: &reqwest::Error) -> HttpError {
    let host = host.to_owned();
    if error.is_timeout() {
        HttpError::Timeout { host }
    } else if error.is_connect() {
        HttpError::Unreachable { host, reason: innermost(error) }
    } else {
        HttpError::Broken { host, reason: innermost(error) }
    }
}

/// The cause at the bottom, which is the one that a person can act on: "Connection refused".
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let text = cause.to_string();
    // "Connection refused (os error 111)": the number helps nobody.
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// Host and port as in the address, for messages.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers one request with these bytes, as far as they are taken.
    async fn answering(answer: Vec<u8>) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(&answer).await;
        });
        format!("http://{address}/x.pleach").parse().unwrap()
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        // Without a length: the body ends with the connection.
        [&b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"[..], body].concat()
    }

    #[tokio::test]
    async fn only_what_the_link_names_is_taken() {
        let digest = ManifestDigest::of(b"the manifest");
        let url = answering(ok(b"the manifest")).await;
        assert_eq!(get_manifest(&url, Some(&digest)).await.unwrap(), b"the manifest");
        let url = answering(ok(b"another")).await;
        assert!(matches!(get_manifest(&url, Some(&digest)).await, Err(HttpError::Digest { .. })));
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        let url = answering(ok(&vec![b' '; MANIFEST_BYTES_MAX + 1])).await;
        assert!(matches!(get_manifest(&url, None).await, Err(HttpError::TooLarge { .. })));
        let url = answering(ok(&vec![b' '; MANIFEST_BYTES_MAX])).await;
        assert_eq!(get_manifest(&url, None).await.unwrap().len(), MANIFEST_BYTES_MAX);
    }

    #[tokio::test]
    async fn what_is_wrong_is_said() {
        let url = answering(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
        assert!(matches!(get_manifest(&url, None).await, Err(HttpError::NotFound { .. })));
        let url = answering(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
        let error = get_manifest(&url, None).await.unwrap_err();
        assert!(error.is_temporary() && error.to_string().ends_with("answered 503 Service Unavailable"), "{error}");
        let url = answering(b"nonsense".to_vec()).await;
        assert!(matches!(get_manifest(&url, None).await, Err(HttpError::Broken { .. })));
        let error = get_manifest(&"http://127.0.0.1:9/x".parse().unwrap(), None).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot reach 127.0.0.1:9: connection refused");
    }
}
