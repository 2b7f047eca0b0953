//! What a person points at, a link, a `.pleach` file or the URL of one, and what it leads to.

use std::path::Path;
use std::time::Duration;

use pleach_core::content::{Link, Manifest, WebPlaces};
use pleach_native::http::{self, HttpError, MANIFEST_BYTES_MAX};
use pleach_native::node::TrackerUrls;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::exit::{Code, Error, Result};
use crate::ui::Ui;

/// Wait before a server that could not be reached is asked again.
const RETRY_WAIT: Duration = Duration::from_secs(2);

/// What a person points at. Not to be shown in logs: a key may be in it.
pub(crate) enum Source {
    /// A link, which names content, description and tracker.
    Link(Link),
    /// A description on disk.
    File(Box<Manifest>),
    /// A description somewhere on the web.
    Web(Url),
}

/// A content, and where to get it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) manifest: Manifest,
    /// Where its peers meet; `None`: all comes from the web.
    pub(crate) tracker: Option<TrackerUrls>,
    /// Where on the web it is.
    pub(crate) web: WebPlaces,
}

impl Source {
    /// Finds out which it is. A file that exists is a file whatever it is called.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let path = Path::new(text);
        if !text.contains("://") || path.exists() {
            return read_manifest(path).map(|manifest| Self::File(Box::new(manifest)));
        }
        match (text.parse::<Link>(), Url::parse(text)) {
            (Ok(link), _) => Ok(Self::Link(link)),
            (Err(_), Ok(url)) if url.path().ends_with(".pleach") && matches!(url.scheme(), "http" | "https") => {
                Ok(Self::Web(url))
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// The key that came with it, behind the `#`.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Link(link) => link.key(),
            Self::File(_) => None,
            Self::Web(url) => url.fragment()?.split('&').find_map(|part| part.strip_prefix("k1.")),
        }
    }

    /// Reads or fetches the description. A server that can't be reached is asked again until `patience` is over.
    pub(crate) async fn manifest(&self, patience: Duration, ui: &Ui) -> Result<Manifest> {
        let (url, link) = match self {
            Self::File(manifest) => return Ok(Manifest::clone(manifest)),
            Self::Link(link) => (parse_url(&link.manifest_url())?, Some(link)),
            Self::Web(url) => {
                let mut url = url.clone();
                // The key may be in it, which is nobody else's affair.
                url.set_fragment(None);
                (url, None)
            }
        };
        let digest = link.and_then(Link::manifest);
        let bytes = fetch(&url, digest.as_ref(), patience, ui).await?;
        let manifest = Manifest::parse(&bytes)?;
        match link {
            Some(link) if link.id() != manifest.id() => {
                Err(Error::new(Code::Failure, "the server sent the description of another content than the link names"))
            }
            _ => Ok(manifest),
        }
    }

    /// The description and where to go with it: `tracker` if the person says so, else as the link or the description
    /// says; and to the web servers that `web` makes of those that the description leads to.
    pub(crate) async fn resolve(
        &self,
        tracker: Option<&str>,
        web: impl FnOnce(WebPlaces) -> WebPlaces,
        patience: Duration,
        ui: &Ui,
    ) -> Result<Target> {
        let manifest = self.manifest(patience, ui).await?;
        let base = match (tracker, self, manifest.trackers().first()) {
            (Some(tracker), _, _) => Some(tracker_base(tracker)?),
            (None, Self::Link(link), _) => Some(link.base().to_owned()),
            (None, _, Some(tracker)) => Some(tracker_base(tracker)?),
            (None, _, None) => self.own_server(&manifest),
        };
        let manifest_url = match self {
            Self::Web(url) => Some(url.as_str()),
            Self::Link(_) | Self::File(_) => None,
        };
        let web = web(WebPlaces::of(&manifest, manifest_url));
        if base.is_none() && web.sources.is_empty() {
            return Err(Error::usage("the .pleach file names no tracker and no web server")
                .hint("say which: --tracker URL, or --source URL"));
        }
        let link = base.map(|base| Link::new(&base, manifest.id(), Some(manifest.digest()))).transpose()?;
        let tracker = link.as_ref().map(tracker_urls).transpose()?;
        Ok(Target { manifest, tracker, web })
    }

    /// The tracker that a description came from, if it came by the address that trackers give descriptions.
    fn own_server(&self, manifest: &Manifest) -> Option<String> {
        let Self::Web(url) = self else { return None };
        let mut base = url.clone();
        base.set_query(None);
        base.set_fragment(None);
        base.as_str().strip_suffix(&format!("/{}.pleach", manifest.id())).map(str::to_owned)
    }
}

/// Where the tracker of a link is.
pub(crate) fn tracker_urls(link: &Link) -> Result<TrackerUrls> {
    Ok(TrackerUrls { socket: parse_url(&link.tracker_url())?, manifest: parse_url(&link.manifest_url())? })
}

/// The base of links at a tracker, from any of the ways to write a tracker's address.
pub(crate) fn tracker_base(tracker: &str) -> Result<String> {
    let refuse = || {
        Error::usage(format!("{tracker} is no tracker's address"))
            .hint("expected http(s)://HOST[:PORT] or ws(s)://HOST[:PORT]/ws")
    };
    let (scheme, rest) = tracker.split_once("://").ok_or_else(refuse)?;
    let rest = rest.trim_end_matches('/');
    match scheme {
        "http" | "https" => Ok(format!("{scheme}://{rest}")),
        "ws" => Ok(format!("http://{}", rest.strip_suffix("/ws").unwrap_or(rest))),
        "wss" => Ok(format!("https://{}", rest.strip_suffix("/ws").unwrap_or(rest))),
        _ => Err(refuse()),
    }
}

/// The socket of the tracker at a base, as descriptions name it.
pub(crate) fn tracker_socket(base: &str) -> Result<String> {
    // Any id makes the same socket.
    let id = pleach_core::ids::ContentId::from_bytes([0; 32]);
    Ok(Link::new(base, id, None)?.tracker_url())
}

pub(crate) fn parse_url(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|error| Error::usage(format!("{text}: {error}")))
}

/// Reads a description on disk.
pub(crate) fn read_manifest(path: &Path) -> Result<Manifest> {
    use std::io::Read;
    let shown = path.display();
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that the parser refuses what is too long.
    let limit = MANIFEST_BYTES_MAX as u64 + 1;
    let read = std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    if let Err(error) = read {
        let error = pleach_native::store::plain(&error);
        return Err(Error::new(Code::NotFound, format!("cannot read {shown}: {error}"))
            .hint("expected a link (http://…), or a .pleach file"));
    }
    Manifest::parse(&bytes).map_err(|error| {
        Error::new(Code::Failure, format!("{shown}: {error}")).hint("expected a link (http://…), or a .pleach file")
    })
}

async fn fetch(
    url: &Url,
    digest: Option<&pleach_core::ids::ManifestDigest>,
    patience: Duration,
    ui: &Ui,
) -> std::result::Result<Vec<u8>, HttpError> {
    let begin = Instant::now();
    loop {
        match http::get_manifest(url, digest).await {
            Err(error) if error.is_temporary() && begin.elapsed() + RETRY_WAIT < patience => {
                ui.say(format_args!("{error}; trying again"));
                sleep(RETRY_WAIT).await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tracker_base;

    #[test]
    fn trackers_are_taken_as_people_write_them() {
        let base = |url| tracker_base(url).map_err(drop);
        assert_eq!(base("https://tracker.example"), Ok("https://tracker.example".into()));
        assert_eq!(base("https://tracker.example/share/"), Ok("https://tracker.example/share".into()));
        assert_eq!(base("ws://127.0.0.1:8080/ws"), Ok("http://127.0.0.1:8080".into()));
        assert_eq!(base("wss://tracker.example/share/ws"), Ok("https://tracker.example/share".into()));
        assert!(base("tracker.example").is_err());
        assert!(base("ftp://tracker.example").is_err());
    }
}
