//! Rows D1 and D2 with real processes and real WebRTC: with the tracker killed, peers find others through those that they
//! know, be it for the same package or for another.

use std::fs;

use pleach_core::peer::{Event, Start};
use pleach_native::beside::Beside;
use pleach_native::node::{Node, NodeConfig};
use pleach_native::store::{SourceFiles, Store};

use super::common::{Server, eventually, file_of, path, sample, wait_for_part};
use super::kills::Teller;
use super::nodes::{config, describe, download, hear, soon};

const SIZE: usize = 24 << 20;

/// A tracker that arranges peers in a line, as far as their slots allow, and never in another order: each knows its feeder
/// and its child alone.
fn line_of_peers() -> (tempfile::TempDir, Server) {
    let directory = tempfile::tempdir().unwrap();
    let settings = directory.path().join("tracker.toml");
    fs::write(&settings, "stripes = 1\nlaterals = 0\nepoch_ms = 600000\n").unwrap();
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0", "--config", path(&settings)]);
    (directory, tracker)
}

/// D1, D2: source → middle → last. The tracker is killed; the last asks the middle who else has it, meets the source by
/// signals that the middle carries, and when the middle is killed it goes on from there.
#[test]
fn d1_d2_who_loses_its_feeder_without_a_tracker_has_found_another_through_it() {
    let (directory, tracker) = line_of_peers();
    let (_source, file) = file_of("talk.mp4", SIZE);
    let seed =
        Server::start(&["seed", path(&file), "--tracker", &tracker.line, "--slots", "1", "--upload-limit", "2MB"]);
    let get = |name: &str| {
        let out = directory.path().join(name);
        (Teller::start(&["get", &seed.line, "-o", path(&out), "--seed", "--json"]), out)
    };
    let (middle, middle_out) = get("middle");
    wait_for_part(&middle_out, 1 << 20);
    let (last, last_out) = get("last");
    wait_for_part(&last_out, 1 << 20);
    let links = eventually("it tells how it stands", || last.latest("progress", "links"));
    assert_eq!(links, 1, "it knows the middle alone");

    drop(tracker);
    eventually("it has found another", || last.latest("progress", "links_found").filter(|links| *links > 0));
    drop(middle);
    eventually("the file is there", || last_out.exists().then_some(()));
    assert!(fs::read(&last_out).unwrap() == sample(SIZE), "and it is the same");
}

/// D1, [003]: two that met through one package; one of them wants another package, when the tracker is gone that could
/// have told who has it. The neighbour's process has it, and the link is made with signals over the link of the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d1_two_that_met_through_one_package_find_another_without_a_tracker() {
    let (directory, file_a) = file_of("a", SIZE);
    let file_b = directory.path().join("b");
    fs::write(&file_b, sample(3_000_001)).unwrap();
    let ((manifest_a, tree_a), (manifest_b, tree_b)) = (describe(&file_a), describe(&file_b));
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let base = tracker.line.clone();
    let (mine, theirs) = (Beside::default(), Beside::default());
    let start = |config: NodeConfig, process: &Beside| {
        Node::start(NodeConfig { beside: Some(process.clone()), ..config }).unwrap()
    };
    let source = |file| Store::Source(SourceFiles::open([file]).unwrap());
    // They are linked as long as there is something left of the first to give.
    let slow = |config| NodeConfig { upload_bytes_per_s: Some(200_000), ..config };
    let their_a = slow(config(&base, &manifest_a, Start::Complete(tree_a), source(file_a)));
    let (their_a, _) = start(their_a, &theirs);
    let their_b = config(&base, &manifest_b, Start::Complete(tree_b), source(file_b));
    let (their_b, mut of_their_b) = start(their_b, &theirs);
    hear(&mut of_their_b, |event| *event == Event::TrackerUp).await;
    let out_a = directory.path().join("out a");
    let my_a = config(&base, &manifest_a, Start::Empty, download(&manifest_a, out_a));
    let (my_a, mut of_my_a) = start(my_a, &mine);
    hear(&mut of_my_a, |event| matches!(event, Event::LinkUp { .. })).await;

    drop(tracker);
    hear(&mut of_my_a, |event| matches!(event, Event::TrackerDown { .. })).await;
    let out_b = directory.path().join("out b");
    let my_b = config(&base, &manifest_b, Start::Empty, download(&manifest_b, out_b.clone()));
    let (my_b, mut of_my_b) = start(my_b, &mine);
    hear(&mut of_my_b, |event| *event == Event::Complete).await;
    assert!(fs::read(&out_b).unwrap() == sample(3_000_001), "the bytes are the same");
    let stats = my_b.stats().borrow().clone();
    assert!(!stats.tracker_up && stats.links.iter().all(|link| link.is_found), "{:?}", stats.links);
    for node in [my_b, my_a, their_b, their_a] {
        soon(node.stop()).await.unwrap();
    }
}
