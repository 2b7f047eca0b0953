//! Where on the web a content's bytes and its hash list are: what the manifest says, and what goes without saying.
//!
//! A manifest that lies beside what it describes, at `…/NAME.pleach`, means the file at `…/NAME`, or its packed bytes at
//! `…/NAME.packed`, and the hash list at `…/NAME.pleach-hashes`. All that comes from there is verified, so that trying costs nothing and a wrong guess is no
//! danger.

use super::manifest::{Manifest, URLS_MAX};

/// What a manifest's own address ends with.
const MANIFEST_SUFFIX: &str = ".pleach";
/// What packed bytes end with in its place.
const PACKED_SUFFIX: &str = ".packed";
/// What follows the address of the bytes in that of their hash list.
const HASHES_SUFFIX: &str = ".pleach-hashes";

/// Addresses, `http:` or `https:`, the first to be tried first; at most [`URLS_MAX`](super::URLS_MAX) of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebPlaces {
    /// Of the content's bytes.
    pub sources: Vec<String>,
    /// Of its hash list.
    pub hashes: Vec<String>,
}

impl WebPlaces {
    /// Those of a manifest, which came from `manifest_url` if it came from the web. Of several files the bytes are not in
    /// one place, so there is none.
    pub fn of(manifest: &Manifest, manifest_url: Option<&str>) -> Self {
        if manifest.files().len() != 1 {
            return Self::default();
        }
        let beside = manifest_url.and_then(beside);
        let sources = match (manifest.sources(), &beside) {
            ([], Some(beside)) if manifest.packed().is_some() => vec![format!("{beside}{PACKED_SUFFIX}")],
            ([], Some(beside)) => vec![beside.clone()],
            (sources, _) => sources.to_vec(),
        };
        Self::new(sources, manifest.hashes().to_vec(), beside)
    }

    /// Other sources, instead of those that the manifest names.
    pub fn with_sources(self, sources: Vec<String>) -> Self {
        Self::new(sources, self.hashes, None)
    }

    /// Further sources, after those that the manifest leads to; beyond [`URLS_MAX`](super::URLS_MAX) the last are left out.
    pub fn and_sources(mut self, more: Vec<String>) -> Self {
        for url in more {
            if !self.sources.contains(&url) {
                self.sources.push(url);
            }
        }
        self.sources.truncate(URLS_MAX);
        Self::new(self.sources, self.hashes, None)
    }

    /// The hash list may also be beside the manifest, and beside each source.
    fn new(sources: Vec<String>, mut hashes: Vec<String>, beside: Option<String>) -> Self {
        for place in beside.iter().chain(&sources) {
            let (path, query) = place.split_at(place.find('?').unwrap_or(place.len()));
            let list = format!("{path}{HASHES_SUFFIX}{query}");
            if !hashes.contains(&list) {
                hashes.push(list);
            }
        }
        hashes.truncate(URLS_MAX);
        Self { sources, hashes }
    }
}

/// The address of what a manifest at this one lies beside. Trackers hand out manifests under the content's id, and have
/// nothing beside them.
fn beside(manifest_url: &str) -> Option<String> {
    let path = manifest_url.split(['#', '?']).next().unwrap_or(manifest_url);
    let place = path.strip_suffix(MANIFEST_SUFFIX)?;
    let name = place.rsplit('/').next().unwrap_or(place);
    let is_id = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!name.is_empty() && !is_id).then(|| place.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::ManifestBuilder;
    use crate::ids::ContentId;

    fn builder() -> ManifestBuilder {
        ManifestBuilder::new(ContentId::from_bytes([7; 32])).file("talk.mp4", 100, None)
    }

    fn places(builder: ManifestBuilder, url: Option<&str>) -> (Vec<String>, Vec<String>) {
        let WebPlaces { sources, hashes } = WebPlaces::of(&builder.build().expect("valid"), url);
        (sources, hashes)
    }

    #[test]
    fn what_lies_beside_the_manifest_goes_without_saying() {
        let beside = |url| places(builder(), Some(url));
        let found =
            (vec!["https://a.example/x/talk.mp4".into()], vec!["https://a.example/x/talk.mp4.pleach-hashes".into()]);
        assert_eq!(beside("https://a.example/x/talk.mp4.pleach"), found);
        assert_eq!(beside("https://a.example/x/talk.mp4.pleach?v=2#m1.x"), found);
        assert_eq!(beside("https://a.example/x/talk.mp4"), Default::default());
        assert_eq!(beside("https://a.example/x/.pleach"), Default::default());
        assert_eq!(beside(&format!("https://a.example/{}.pleach", "0f".repeat(32))), Default::default());
        assert_eq!(places(builder(), None), Default::default());
    }

    #[test]
    fn what_the_manifest_says_counts() {
        let named = builder().source("https://b.example/t?x=1").hashes("https://c.example/list");
        let (sources, hashes) = places(named, Some("https://a.example/talk.mp4.pleach"));
        assert_eq!(sources, ["https://b.example/t?x=1"]);
        let all = [
            "https://c.example/list",
            "https://a.example/talk.mp4.pleach-hashes",
            "https://b.example/t.pleach-hashes?x=1",
        ];
        assert_eq!(hashes, all);
    }

    #[test]
    fn a_folder_is_in_no_one_place() {
        let folder = builder().file("notes.txt", 1, None).source("https://b.example/t");
        assert_eq!(places(folder, Some("https://a.example/talks.pleach")), Default::default());
    }

    #[test]
    fn sources_can_be_added() {
        let places = WebPlaces::of(&builder().build().expect("valid"), Some("https://a.example/talk.mp4.pleach"));
        let more = ["https://m.example/t", "https://a.example/talk.mp4"].map(str::to_owned).to_vec();
        let places = places.and_sources(more);
        assert_eq!(places.sources, ["https://a.example/talk.mp4", "https://m.example/t"]);
        assert_eq!(places.hashes, ["https://a.example/talk.mp4.pleach-hashes", "https://m.example/t.pleach-hashes"]);
    }

    #[test]
    fn other_sources_can_be_named() {
        let places = WebPlaces::of(&builder().build().expect("valid"), Some("https://a.example/talk.mp4.pleach"));
        let places = places.with_sources(vec!["https://m.example/t".into()]);
        assert_eq!(places.sources, ["https://m.example/t"]);
        assert_eq!(places.hashes, ["https://a.example/talk.mp4.pleach-hashes", "https://m.example/t.pleach-hashes"]);
    }
}
