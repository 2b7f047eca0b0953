//! HLS (RFC 8216): a playlist names the parts of a film, which are files beside it or stretches of one.

use std::collections::BTreeMap;

use m3u8_rs::Playlist;
use pleach_core::content::ByteRange;

use super::{PARTS_MAX, Parts};

/// What a playlist says of other files of the content, by their paths. Nothing of what lies elsewhere on the web, and of
/// a playlist that is none.
pub(super) fn parts(playlist_path: &str, text: &[u8]) -> BTreeMap<String, Parts> {
    let mut all: BTreeMap<String, Parts> = BTreeMap::new();
    let Ok(Playlist::MediaPlaylist(playlist)) = m3u8_rs::parse_playlist_res(text) else { return all };
    let folder = playlist_path.rsplit_once('/').map_or("", |(folder, _)| folder);
    // Without an offset a stretch begins where the one before it in the same file ended.
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for segment in playlist.segments.iter().take(PARTS_MAX) {
        if let Some(init) = &segment.map
            && let Some(path) = resolve(folder, &init.uri)
        {
            let start = init.byte_range.as_ref().and_then(|range| range.offset).unwrap_or(0);
            let end = init.byte_range.as_ref().map_or(u64::MAX, |range| start.saturating_add(range.length));
            let index = &mut all.entry(path).or_default().index;
            if index.last() != Some(&ByteRange { start, end }) {
                index.push(ByteRange { start, end });
            }
        }
        let Some(path) = resolve(folder, &segment.uri) else { continue };
        let end = ends.entry(path.clone()).or_default();
        let start = segment.byte_range.as_ref().and_then(|range| range.offset).unwrap_or(*end);
        *end = segment.byte_range.as_ref().map_or(u64::MAX, |range| start.saturating_add(range.length));
        all.entry(path).or_default().cuts.push(start);
    }
    // The beginning of the film is that of its first part only.
    let first = playlist.segments.first().and_then(|segment| resolve(folder, &segment.uri));
    for (path, parts) in &mut all {
        if Some(path) != first.as_ref() && parts.cuts == [0] {
            parts.cuts.clear();
        }
        parts.cuts.sort_unstable();
        parts.cuts.dedup();
    }
    all
}

/// The path in the content that a playlist's address means; `None` for one that is elsewhere.
fn resolve(folder: &str, uri: &str) -> Option<String> {
    let path = uri.split(['?', '#']).next()?;
    if path.is_empty() || path.starts_with('/') || path.contains(':') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
