//! The page and the widget, built into the server by `build.rs`: `index.html`, scripts, styles, wasm.
//!
//! `/` and `/CONTENT-ID` are the page; it reads from its address what to fetch. Everything else is a file of the built
//! folder. A file whose name holds its hash may be kept for ever; all others are asked for each time and usually
//! answered with 304. They may be used by other sites' pages, since that is what a widget is for.

use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

/// One file.
struct Asset {
    /// Its path without a leading slash.
    path: &'static str,
    content_type: &'static str,
    /// A hash of its bytes.
    etag: &'static str,
    /// Whether its name holds its hash.
    immutable: bool,
    bytes: &'static [u8],
    /// The same, gzipped, where that pays.
    gzip: Option<&'static [u8]>,
}

mod built {
    use super::Asset;
    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

/// Whether the real page is in; else a note how to build it.
pub(crate) const PAGE_IS_BUILT: bool = built::BUILT;

/// A file by its path, without a leading slash.
pub(crate) fn serve(path: &str, request: &HeaderMap) -> Option<Response> {
    let index = built::ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
    Some(answer(&built::ASSETS[index], request))
}

/// The page.
pub(crate) fn serve_page(request: &HeaderMap) -> Response {
    serve("index.html", request).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

fn answer(asset: &'static Asset, request: &HeaderMap) -> Response {
    let body = asset.gzip.filter(|_| accepts_gzip(request));
    // Two forms of one file are told apart by their tags, too (RFC 9110, 8.8.3.3).
    let etag = format!("\"{}{}\"", asset.etag, if body.is_some() { "-gzip" } else { "" });
    let caching = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [(ETAG, etag.as_str()), (CACHE_CONTROL, caching), (VARY, "accept-encoding")];
    if holds_tag(request, &etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let content_type = [(CONTENT_TYPE, asset.content_type)];
    match body {
        Some(gzip) => (headers, content_type, [(CONTENT_ENCODING, "gzip")], gzip).into_response(),
        None => (headers, content_type, asset.bytes).into_response(),
    }
}

/// Whether the request's `If-None-Match` names the tag.
pub(crate) fn holds_tag(request: &HeaderMap, etag: &str) -> bool {
    list(request, IF_NONE_MATCH).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    list(request, ACCEPT_ENCODING).any(|item| {
        let (coding, quality) = item.split_once(';').unwrap_or((item, ""));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        coding.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Asset = Asset {
        path: "assets/core-0123abcd.wasm",
        content_type: "application/wasm",
        etag: "abc",
        immutable: true,
        bytes: b"plain",
        gzip: Some(b"small"),
    };
    static HASHED: Asset = FILE;
    static PLAIN: Asset = Asset { immutable: false, gzip: None, ..FILE };

    fn request(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_table_is_in_order_and_has_the_page() {
        assert!(built::ASSETS.is_sorted_by_key(|asset| asset.path));
        assert_eq!(serve_page(&HeaderMap::new()).status(), StatusCode::OK);
        assert!(serve("no/such.js", &HeaderMap::new()).is_none());
        assert!(serve("../Cargo.toml", &HeaderMap::new()).is_none());
    }

    #[test]
    fn gzip_goes_to_those_who_take_it_under_a_tag_of_its_own() {
        let gzip = answer(&HASHED, &request(ACCEPT_ENCODING, "br, gzip;q=0.8"));
        assert_eq!(gzip.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(gzip.headers()[ETAG], "\"abc-gzip\"");
        for refused in ["br", "gzip;q=0", "identity"] {
            let plain = answer(&HASHED, &request(ACCEPT_ENCODING, refused));
            assert!(!plain.headers().contains_key(CONTENT_ENCODING), "{refused}");
            assert_eq!(plain.headers()[ETAG], "\"abc\"");
        }
        assert_eq!(gzip.headers()[CONTENT_TYPE], "application/wasm");
    }

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        assert!(answer(&HASHED, &HeaderMap::new()).headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        assert_eq!(answer(&PLAIN, &HeaderMap::new()).headers()[CACHE_CONTROL], "no-cache");
    }

    #[test]
    fn who_has_it_is_told_so() {
        for tags in ["\"abc\"", "\"x\", W/\"abc\"", "*"] {
            let answer = answer(&PLAIN, &request(IF_NONE_MATCH, tags));
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{tags}");
            assert_eq!(answer.headers()[ETAG], "\"abc\"");
        }
        assert_eq!(answer(&PLAIN, &request(IF_NONE_MATCH, "\"abd\"")).status(), StatusCode::OK);
    }
}
