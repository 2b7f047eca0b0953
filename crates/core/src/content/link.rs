//! What people pass on to each other.
//!
//! ```text
//! https://HOST[:PORT][/prefix]/<content id, 64 hexadecimal digits>#m1.<manifest digest, base64url>
//! └───────────── base ───────┘
//! ```
//!
//! Opened in a browser it is a page that begins the download. What is behind the `#` never leaves the browser, so the
//! server can neither see nor exchange it. Its parts are joined by `&` and begin with a letter and a version: `m1` is
//! the digest by which a manifest is known to be the author's, whoever it came from; `k1` is the key of
//! encrypted content, base64url. Parts that are not known are ignored.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::text;
use crate::ids::{ContentId, ManifestDigest};

/// Longest link that is read, in bytes.
pub const LINK_BYTES_MAX: usize = 4096;
/// Longest key part, in characters; a key of 256 bits has 43.
const KEY_CHARS_MAX: usize = 128;

/// A link to a content.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    base: String,
    id: ContentId,
    manifest: Option<ManifestDigest>,
    key: Option<String>,
}

/// Why a text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Longer than [`LINK_BYTES_MAX`].
    #[error("this is not a Pleach link: it is longer than {LINK_BYTES_MAX} characters")]
    TooLong,
    /// It does not begin like the address of a server.
    #[error("this is not a Pleach link: its address can't be used: {0}")]
    Base(&'static str),
    /// The path does not end in an id.
    #[error("this is not a Pleach link: its path does not end in the 64 hexadecimal digits of a content's id")]
    Id,
    /// A part of the fragment is known but broken.
    #[error("this Pleach link is damaged: what follows 'm1.' is not a manifest's digest; was it copied whole?")]
    Manifest,
    /// The key is broken.
    #[error("this Pleach link is damaged: what follows 'k1.' is not a key; was it copied whole?")]
    Key,
    /// A part is there twice.
    #[error("this Pleach link is damaged: a part of it is there twice")]
    Twice,
}

impl Link {
    /// The link to a content at a server. `base` is the server's address, with or without a path below which Pleach
    /// lives there: `https://example.org/share`.
    pub fn new(base: &str, id: ContentId, manifest: Option<ManifestDigest>) -> Result<Self, LinkError> {
        Ok(Self { base: check_base(base.trim_end_matches('/'))?, id, manifest, key: None })
    }

    /// The server's address: `http(s)://HOST[:PORT][/prefix]`, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The content.
    pub fn id(&self) -> ContentId {
        self.id
    }

    /// The digest of its manifest, if the link tells.
    pub fn manifest(&self) -> Option<ManifestDigest> {
        self.manifest
    }

    /// The key of encrypted content as it is written, if the link has one.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The same link with a key, which nobody but its recipients may see.
    pub fn with_key(mut self, key: &str) -> Result<Self, LinkError> {
        self.key = Some(parse_key(key)?);
        Ok(self)
    }

    /// Where the manifest is: `{base}/{id}.pleach`, with `?m=<digest in hexadecimal>` if the digest is known.
    pub fn manifest_url(&self) -> String {
        let digest = self.manifest.map(|digest| format!("?m={digest}")).unwrap_or_default();
        format!("{}/{}.pleach{digest}", self.base, self.id)
    }

    /// Where the tracker is: `ws(s)://HOST[:PORT][/prefix]/ws`.
    pub fn tracker_url(&self) -> String {
        // The base begins with "http" in lower case; "http" and "https" become "ws" and "wss".
        format!("ws{}/ws", self.base.trim_start_matches("http"))
    }

    /// The page, without what only the recipient may know.
    pub fn page_url(&self) -> String {
        format!("{}/{}", self.base, self.id)
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        if text.len() > LINK_BYTES_MAX {
            return Err(LinkError::TooLong);
        }
        let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
        // Some programs that carry links add a query of their own; none is needed here.
        let (path, _query) = address.split_once('?').unwrap_or((address, ""));
        if !path.contains("://") {
            return Err(LinkError::Base("it has no '://'"));
        }
        let (base, id) = path.strip_suffix('/').unwrap_or(path).rsplit_once('/').ok_or(LinkError::Id)?;
        let id = id.parse().map_err(|_| LinkError::Id)?;
        let mut link = Self { base: check_base(base)?, id, manifest: None, key: None };
        fragment.split('&').try_for_each(|part| link.read_part(part))?;
        Ok(link)
    }
}

impl Link {
    fn read_part(&mut self, part: &str) -> Result<(), LinkError> {
        let is_second = if let Some(digest) = part.strip_prefix("m1.") {
            self.manifest.replace(parse_digest(digest)?).is_some()
        } else if let Some(key) = part.strip_prefix("k1.") {
            self.key.replace(parse_key(key)?).is_some()
        } else {
            false
        };
        if is_second { Err(LinkError::Twice) } else { Ok(()) }
    }
}

impl fmt::Display for Link {
    /// The whole link, with the key if there is one: to be shown to the person whose link it is, and to nobody else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.id)?;
        let manifest = self.manifest.map(|digest| format!("m1.{}", URL_SAFE_NO_PAD.encode(digest.as_bytes())));
        let key = self.key.as_ref().map(|key| format!("k1.{key}"));
        let parts: Vec<_> = manifest.into_iter().chain(key).collect();
        if parts.is_empty() { Ok(()) } else { write!(f, "#{}", parts.join("&")) }
    }
}

impl fmt::Debug for Link {
    /// For logs: without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key.is_some() { ", with a key" } else { "" };
        write!(f, "Link({}/{:?}{key})", self.base, self.id)
    }
}

/// The base with its protocol and host in lower case.
fn check_base(base: &str) -> Result<String, LinkError> {
    text::check_url(base, &["http", "https"]).map_err(LinkError::Base)?;
    let (scheme, rest) = base.split_once("://").ok_or(LinkError::Base("it has no '://'"))?;
    let (host, prefix) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if prefix.contains('?') {
        return Err(LinkError::Base("it has a query"));
    }
    if prefix.split('/').skip(1).any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(LinkError::Base("a part of its path is empty, '.' or '..'"));
    }
    Ok(format!("{}://{}{prefix}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase()))
}

fn parse_digest(text: &str) -> Result<ManifestDigest, LinkError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| LinkError::Manifest)?;
    bytes.try_into().map(ManifestDigest::from_bytes).map_err(|_| LinkError::Manifest)
}

fn parse_key(text: &str) -> Result<String, LinkError> {
    let is_base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if text.is_empty() || text.len() > KEY_CHARS_MAX || !text.bytes().all(is_base64url) {
        return Err(LinkError::Key);
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
