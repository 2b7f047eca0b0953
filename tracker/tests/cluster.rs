//! Row C2 ([002]): several trackers share and maintain node lists. Here: in one process, each with its own port.

mod common;

use common::{PATIENCE, Running, config, swarm};
use hyper::StatusCode;
use pleach_core::content::Manifest;
use pleach_core::ids::{ContentId, TrackerId};
use pleach_core::tracker::home_of;
use pleach_core::wire::tracker::FromTracker;
use pleach_tracker::{Server, ServerConfig};

/// Three trackers that run swarms together.
struct Three(Vec<Running>);

impl Three {
    async fn start() -> Self {
        let and_listen = vec![([127, 0, 0, 1], 0).into(); 2];
        let servers = Server::bind_all(ServerConfig { and_listen, stats_swarms: true, ..config() }).await.unwrap();
        Self(servers.into_iter().map(Running::of).collect())
    }

    /// Takes out the home of a swarm.
    fn take_home(&mut self, swarm: ContentId) -> Running {
        let name = |running: &Running| TrackerId::of_name(&running.addr.to_string());
        let home = home_of(swarm, self.0.iter().map(name)).unwrap();
        let at = self.0.iter().position(|running| name(running) == home).unwrap();
        self.0.remove(at)
    }
}

/// Waits until `path` of `/stats.json` is `wanted`.
async fn wait_for(running: &Running, path: &str, wanted: u64) {
    let wait = async {
        while running.get("/stats.json").await.json().pointer(path).and_then(serde_json::Value::as_u64) != Some(wanted)
        {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let Err(_) = tokio::time::timeout(PATIENCE, wait).await else { return };
    panic!("{path} is not {wanted}: {}", running.get("/stats.json").await.text());
}

#[tokio::test]
async fn peers_of_two_trackers_meet_and_go_on_when_the_home_stops() {
    let mut three = Three::start().await;
    let home = three.take_home(swarm(1));
    let [first, second] = &three.0[..] else { panic!("two are left") };
    let (mut seeder, mut getter) = (first.open().await, second.open().await);
    seeder.join_as_seeder(swarm(1), 1).await;
    getter.join(swarm(1), 2).await;
    let is_plan = |message: &FromTracker| matches!(message, FromTracker::Plan { open, .. } if !open.is_empty());
    getter.hear_until(is_plan).await;
    seeder.hear_until(is_plan).await;
    wait_for(&home, "/cluster/remote", 2).await;
    wait_for(first, "/peers", 0).await;
    // The list of the home's nodes is at the others, whichever of them one asks.
    let list_of_home = |running: &Running| {
        let id = TrackerId::of_name(&home.addr.to_string()).to_string();
        let told = TrackerId::of_name(&running.addr.to_string());
        let others = [home.addr, first.addr, second.addr].map(|addr| TrackerId::of_name(&addr.to_string()));
        let mut others: Vec<_> = others.into_iter().filter(|other| *other != told).collect();
        others.sort_unstable();
        let at = others.iter().position(|other| other.to_string() == id).unwrap();
        format!("/cluster/trackers/{at}/peers")
    };
    wait_for(first, &list_of_home(first), 2).await;
    wait_for(second, &list_of_home(second), 2).await;

    home.stopped().await;
    // Asked to join again, on the same sockets.
    for (socket, number) in [(&mut seeder, 1), (&mut getter, 2)] {
        match number {
            1 => socket.join_as_seeder(swarm(1), number).await,
            _ => socket.join(swarm(1), number).await,
        };
    }
    getter.hear_until(is_plan).await;
    let next_home = three.take_home(swarm(1));
    let last = three.0.remove(0);
    wait_for(&next_home, "/peers", 2).await;
    wait_for(&next_home, "/cluster/remote", 1).await;
    wait_for(&last, "/peers", 0).await;
    for running in [&next_home, &last] {
        let metrics = running.get("/metrics").await;
        assert!(metrics.text().contains("pleach_tracker_others_alive 1\n"), "{}", metrics.text());
    }
    for running in [next_home, last] {
        running.stopped().await;
    }
}

#[tokio::test]
async fn a_description_that_one_is_given_is_had_of_all() {
    let three = Three::start().await;
    let manifest = Manifest::of_file("talk.mp4", None, swarm(3), 10).unwrap();
    let path = format!("/{}.pleach", manifest.id());
    assert_eq!(three.0[0].put(&path, manifest.as_bytes()).await.status, StatusCode::CREATED);
    for running in &three.0 {
        let wait = async {
            while running.get(&path).await.body != manifest.as_bytes() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it gets there");
    }
}

#[tokio::test]
async fn a_tracker_that_is_alone_tells_of_no_others() {
    let server = Running::start(config()).await;
    assert!(server.get("/stats.json").await.json().get("cluster").is_none());
    assert!(server.get("/metrics").await.text().contains("pleach_tracker_others_alive 0\n"));
}
