//! Manifests over HTTP: given, asked for, refused.

mod common;

use common::{Running, config, swarm};
use hyper::{Method, StatusCode};
use pleach_core::content::{MANIFEST_BYTES_MAX, Manifest, ManifestBuilder};
use pleach_core::wire::tracker::FromTracker;
use pleach_tracker::ServerConfig;

/// A manifest of content `n`, told from others of it by its file's name.
fn manifest(n: u8, name: &str) -> Manifest {
    ManifestBuilder::new(swarm(n)).file(name, 1000, Some("text/plain")).build().unwrap()
}

fn path(manifest: &Manifest) -> String {
    format!("/{}.pleach", manifest.id())
}

#[tokio::test]
async fn a_manifest_that_was_given_is_found_by_its_content_and_by_its_digest() {
    let server = Running::start(config()).await;
    let (first, second) = (manifest(1, "a.txt"), manifest(1, "b.txt"));
    for manifest in [&first, &second] {
        let put = server.put(&path(manifest), manifest.as_bytes()).await;
        assert_eq!(put.status, StatusCode::CREATED, "{}", put.text());
        assert_eq!(put.json()["digest"], manifest.digest().to_string());
        assert_eq!(server.put(&path(manifest), manifest.as_bytes()).await.status, StatusCode::OK);
    }
    let any = server.get(&path(&first)).await;
    assert_eq!(any.body, first.as_bytes());
    assert_eq!(any.header("content-type"), "application/json");
    assert_eq!(any.header("cache-control"), "no-cache");
    assert_eq!(any.header("access-control-allow-origin"), "*");
    let exact = server.get(&format!("{}?m={}", path(&second), second.digest())).await;
    assert_eq!(exact.body, second.as_bytes());
    assert!(exact.header("cache-control").contains("immutable"));
    let etag = exact.header("etag").to_owned();
    let again = server.request(Method::GET, &path(&first), &[("if-none-match", &etag)], &[]).await;
    assert_eq!(again.status, StatusCode::OK, "the tag is of the other one");
    server.stopped().await;
}

#[tokio::test]
async fn what_is_not_held_is_told_in_json() {
    let server = Running::start(config()).await;
    let held = manifest(1, "a.txt");
    server.put(&path(&held), held.as_bytes()).await;
    for path in [
        path(&manifest(2, "a.txt")),
        format!("{}?m={}", path(&held), manifest(1, "b.txt").digest()),
        format!("{}?m={}", path(&manifest(2, "a.txt")), held.digest()),
        "/abc.pleach".to_owned(),
    ] {
        let answer = server.get(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.error().is_empty());
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
    let answer = server.get(&format!("{}?m=xyz", path(&held))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.error().contains("hexadecimal"), "{}", answer.error());
    server.stopped().await;
}

#[tokio::test]
async fn what_is_no_manifest_of_that_content_is_refused_with_the_reason() {
    let server = Running::start(config()).await;
    let good = manifest(1, "a.txt");
    let cases = [
        (path(&manifest(2, "a.txt")), good.as_bytes().to_vec(), StatusCode::BAD_REQUEST, "not of"),
        (path(&good), b"garbage".to_vec(), StatusCode::BAD_REQUEST, ""),
        (path(&good), Vec::new(), StatusCode::BAD_REQUEST, ""),
        (path(&good), good.as_bytes()[..50].to_vec(), StatusCode::BAD_REQUEST, ""),
        (path(&good), vec![b' '; MANIFEST_BYTES_MAX + 1], StatusCode::PAYLOAD_TOO_LARGE, "1 MiB"),
        ("/abc.pleach".to_owned(), good.as_bytes().to_vec(), StatusCode::NOT_FOUND, ""),
        ("/index.html".to_owned(), good.as_bytes().to_vec(), StatusCode::NOT_FOUND, ""),
    ];
    for (path, body, status, part) in cases {
        let answer = server.put(&path, &body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.error().contains(part), "{}", answer.error());
    }
    assert_eq!(server.get(&path(&good)).await.status, StatusCode::NOT_FOUND);
    assert!(server.get("/metrics").await.text().contains("uploads_refused_total 7\n"));
    server.stopped().await;
}

#[tokio::test]
async fn a_peer_is_asked_for_the_manifest_until_it_is_held() {
    let server = Running::start(config()).await;
    let wanted = async |peer: u8| match server.open().await.join_as_seeder(swarm(1), peer).await {
        FromTracker::Welcome { manifest_wanted, .. } => manifest_wanted,
        other => panic!("{other:?}"),
    };
    assert!(wanted(1).await);
    let manifest = manifest(1, "a.txt");
    server.put(&path(&manifest), manifest.as_bytes()).await;
    assert!(!wanted(2).await);
    server.stopped().await;
}

#[tokio::test]
async fn the_memory_is_bounded_and_a_dropped_manifest_is_wanted_again() {
    let server = Running::start(ServerConfig { manifests_bytes_max: 2000, ..config() }).await;
    for n in 1..=10 {
        let manifest = manifest(n, "a.txt");
        assert_eq!(server.put(&path(&manifest), manifest.as_bytes()).await.status, StatusCode::CREATED);
    }
    let stats = server.handle.stats().await.unwrap();
    assert!(stats.manifests < 10 && stats.manifests_bytes <= 2000, "{stats:?}");
    assert_eq!(server.get(&path(&manifest(1, "a.txt"))).await.status, StatusCode::NOT_FOUND);
    let FromTracker::Welcome { manifest_wanted, .. } = server.open().await.join_as_seeder(swarm(1), 1).await else {
        panic!()
    };
    assert!(manifest_wanted);
    server.stopped().await;
}

#[tokio::test]
async fn one_address_uploads_only_so_often_and_zero_is_never() {
    for (limit, taken) in [(3, 3), (0, 0)] {
        let server = Running::start(ServerConfig { uploads_per_address_per_min_max: limit, ..config() }).await;
        let mut created = 0;
        for n in 1..=5 {
            let manifest = manifest(n, "a.txt");
            let answer = server.put(&path(&manifest), manifest.as_bytes()).await;
            match answer.status {
                StatusCode::CREATED => created += 1,
                status => {
                    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
                    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
                }
            }
        }
        assert_eq!(created, taken);
        server.stopped().await;
    }
}

#[tokio::test]
async fn pages_of_other_sites_may_upload_unless_the_operator_lists_whose() {
    let manifest = manifest(1, "a.txt");
    for (allowed, status) in
        [(vec![], StatusCode::CREATED), (vec!["https://a.example".to_owned()], StatusCode::FORBIDDEN)]
    {
        let server = Running::start(ServerConfig { allowed_origins: allowed, ..config() }).await;
        let origin = ("origin", "https://b.example");
        let ask = [origin, ("access-control-request-method", "PUT")];
        let preflight = server.request(Method::OPTIONS, &path(&manifest), &ask, &[]).await;
        assert!(preflight.header("access-control-allow-methods").contains("PUT"));
        let put = server.request(Method::PUT, &path(&manifest), &[origin], manifest.as_bytes()).await;
        assert_eq!(put.status, status);
        server.stopped().await;
    }
}

#[tokio::test]
async fn the_manifest_of_a_seeder_in_the_process_stays() {
    let server = Running::start(ServerConfig { manifests_bytes_max: 2000, ..config() }).await;
    let own = manifest(100, "own.txt");
    let published = server.handle.publish_manifest(own.as_bytes()).await.unwrap();
    assert_eq!((published.content, published.digest, published.new), (own.id(), own.digest(), true));
    for n in 1..=10 {
        let manifest = manifest(n, "a.txt");
        server.put(&path(&manifest), manifest.as_bytes()).await;
    }
    assert_eq!(server.get(&path(&own)).await.body, own.as_bytes());
    assert!(server.handle.publish_manifest(b"garbage").await.is_err());
    let handle = server.handle.clone();
    server.stopped().await;
    assert_eq!(handle.publish_manifest(own.as_bytes()).await.unwrap_err().to_string(), "the server has stopped");
}
