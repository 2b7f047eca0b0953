//! Who feeds whom, as anybody who knows the content may see it.

mod common;

use common::{Running, config, swarm};
use hyper::{Method, StatusCode};
use pleach_tracker::ServerConfig;

fn path(n: u8) -> String {
    format!("/swarms/{}/forest.json", swarm(n))
}

#[tokio::test]
async fn a_swarm_is_shown_as_numbers() {
    let server = Running::start(config()).await;
    let mut seeder = server.open().await;
    seeder.join_as_seeder(swarm(7), 1).await;
    let mut peer = server.open().await;
    peer.join(swarm(7), 2).await;

    let answer = server.request(Method::GET, &path(7), &[("origin", "https://site.example")], &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let picture = answer.json();
    assert_eq!((&picture["stripes"], &picture["peers_total"], &picture["left_out"]), (&8.into(), &2.into(), &0.into()));
    let [root, child] = [&picture["peers"][0], &picture["peers"][1]];
    assert_eq!((&root["origin"], &root["complete"], &root["depth"]), (&true.into(), &true.into(), &0.into()));
    assert_eq!((&child["origin"], &child["held_permille"], &child["depth"]), (&false.into(), &0.into(), &1.into()));
    let parents = child["parents"].as_array().unwrap();
    assert_eq!(parents.len(), 8);
    assert!(parents.iter().any(|parent| *parent == 0), "{parents:?}");
    assert!(parents.iter().all(|parent| *parent == 0 || parent.is_null()), "{parents:?}");
    assert_eq!(child["id"].as_str().unwrap().len(), 8);
    server.stopped().await;
}

#[tokio::test]
async fn a_picture_is_drawn_once_a_second() {
    let server = Running::start(config()).await;
    let mut seeder = server.open().await;
    seeder.join_as_seeder(swarm(7), 1).await;
    let before = server.get(&path(7)).await;
    let mut peer = server.open().await;
    peer.join(swarm(7), 2).await;
    assert_eq!(server.get(&path(7)).await.body, before.body, "the same one, right after");
    let later = async {
        while server.get(&path(7)).await.json()["peers_total"] != 2 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(common::PATIENCE, later).await.expect("another one, a second later");
    server.stopped().await;
}

#[tokio::test]
async fn what_cannot_be_shown_is_said() {
    let allowed = vec!["https://site.example".to_owned()];
    let server = Running::start(ServerConfig { allowed_origins: allowed, ..config() }).await;
    let mut seeder = server.open().await;
    seeder.join_as_seeder(swarm(7), 1).await;
    for unknown in [path(8), "/swarms/nothing/forest.json".to_owned()] {
        let answer = server.get(&unknown).await;
        assert_eq!((answer.status, answer.error().as_str()), (StatusCode::NOT_FOUND, "nobody is there"));
    }
    let strange = server.request(Method::GET, &path(7), &[("origin", "https://other.example")], &[]).await;
    assert_eq!(strange.status, StatusCode::FORBIDDEN);
    let put = server.put(&path(7), b"{}").await;
    assert_eq!(put.status, StatusCode::METHOD_NOT_ALLOWED);
    server.stopped().await;
}

#[tokio::test]
async fn pictures_have_a_rate_and_can_be_turned_off() {
    let server = Running::start(ServerConfig { pictures_per_address_per_s_max: 1, ..config() }).await;
    let mut seeder = server.open().await;
    seeder.join_as_seeder(swarm(7), 1).await;
    let mut last = server.get(&path(7)).await;
    for _ in 0..20 {
        last = server.get(&path(7)).await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!last.header("retry-after").is_empty());
    server.stopped().await;

    let server = Running::start(ServerConfig { pictures_per_address_per_s_max: 0, ..config() }).await;
    let mut seeder = server.open().await;
    seeder.join_as_seeder(swarm(7), 1).await;
    assert_eq!(server.get(&path(7)).await.status, StatusCode::NOT_FOUND);
    server.stopped().await;
}
