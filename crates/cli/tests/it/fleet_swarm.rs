//! Nodes of a test in the swarms of a fleet's deliveries: what a stranger hears of machines, and what one that lies costs them.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use pleach_core::content::{Link, Manifest};
use pleach_core::ids::ContentId;
use pleach_core::peer::{Event, Start};
use pleach_native::http;
use pleach_native::node::{Node, NodeConfig};
use pleach_native::store::{SourceFiles, Store};
use pleach_packing::{Key, Packing, machine_keys};
use pleach_tracker::secret_file;
use serde_json::Value;
use tokio::time::sleep;

use super::common::{Running, Server, path, text};
use super::fleet::{Fleet, insist};
use super::nodes::{Sent, config, describe, download, hear, soon};
use super::recording::{Recorder, is_in};

/// The description of a delivery, once it is left at the tracker.
async fn description(fleet: &Fleet, content: ContentId) -> Manifest {
    let url = Link::new(&fleet.url(), content, None).unwrap().manifest_url().parse().unwrap();
    soon(async {
        loop {
            match http::get_manifest(&url, None).await {
                Ok(bytes) => break Manifest::parse(&bytes).unwrap(),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await
}

/// [001] B4 in a delivery: a machine whose sender lies once drops it, and of what it had verified nothing is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_delivery_in_which_one_group_is_bad_only_what_failed_is_sent_again() {
    const LEN: usize = 6_000_000;
    const RATE: u64 = 2_000_000;
    /// What is sent and not acknowledged: half a second's worth, and a message.
    const IN_FLIGHT: usize = RATE as usize / 2 + 65_536;
    let fleet = Fleet::start();
    let _machine = fleet.agent("one", &[]);
    let file = fleet.file(LEN);
    // Nobody gives it but the nodes below: at this address there is no web server.
    let nowhere = ["--no-seed", "--source", "http://127.0.0.1:9/film.bin"];
    let args = [&[path(&file), "--group", "office"], &nowhere[..]].concat();
    let deliver = Running::spawn(fleet.deliver_command(&args));
    let (_, tree) = describe(&file);
    let manifest = description(&fleet, tree.root()).await;
    let seeder = |sent, bad| {
        let store = Store::Source(SourceFiles::open([file.clone()]).unwrap());
        let config = config(&fleet.url(), &manifest, Start::Complete(tree.clone()), store);
        let output_filter = Some(Sent::noting(sent, &manifest, bad));
        Node::start(NodeConfig { output_filter, upload_bytes_per_s: Some(RATE), ..config }).unwrap()
    };
    let (sent_once, sent_then) = (Arc::default(), Arc::default());
    let (once, mut of_once) = seeder(&sent_once, Some(60));
    hear(&mut of_once, |event| matches!(event, Event::LinkDown { .. })).await;
    soon(once.stop()).await.unwrap();
    let (honest, _) = seeder(&sent_then, None);
    insist(0, &deliver.output());
    fleet.assert_has("one", LEN);
    Sent::assert_only_what_failed(&sent_once, &sent_then, LEN, IN_FLIGHT);
    soon(honest.stop()).await.unwrap();
}

const NAME: &str = "combination-of-the-safe.txt";
const SECRET: &str = "the combination of the safe is seven, nineteen, forty-two\n";

/// All that machines say to each other of a delivery.
struct Heard {
    /// Transport requests that they pass on, and answers to them.
    requests: Vec<u8>,
    manifest: Manifest,
    /// Packets, as a stranger in the swarm has them of machines.
    packets: Vec<u8>,
    /// What opens them, if they are encrypted.
    key: Option<Key>,
}

impl Heard {
    /// In which of it a text is.
    fn ways_of(&self, text: &str) -> [bool; 3] {
        [&self.requests, self.manifest.as_bytes(), &self.packets].map(|bytes| is_in(text, bytes))
    }
}

/// A machine that others reach through a recorder.
fn overheard_machine(fleet: &Fleet, name: &str) -> (Server, Recorder) {
    // Free a moment ago: where the machine listens must be known before it does.
    let free: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let recorder = Recorder::start(free);
    let (listen, reached_at) = (free.to_string(), recorder.address.to_string());
    (fleet.agent(name, &["--listen", &listen, "--reached-at", &reached_at]), recorder)
}

/// Delivers to three machines, of which the tracker tells one and each tells the next.
async fn overhear(options: &[&str]) -> Heard {
    let fleet = Fleet::start_with(&["--fleet-fan-out", "1"]);
    let machines = ["one", "two", "three"].map(|name| overheard_machine(&fleet, name));
    let file = fleet.path(NAME);
    fs::write(&file, SECRET.repeat(20_000)).unwrap();
    let output = fleet.deliver(&file, &[&["--json"], options].concat());
    insist(0, &output);
    let told = text(&output.stdout);
    let end: Value = serde_json::from_str(told.lines().last().expect("it tells its end")).unwrap();
    let streams = machines.iter().flat_map(|(_, recorder)| [recorder.to_server(), recorder.said_by_server()].concat());
    let requests: Vec<u8> = streams.flatten().collect();

    // Who ordered it has gone: the stranger has it of the machines.
    let content = end["delivery"]["content"].as_str().unwrap().parse().unwrap();
    let manifest = description(&fleet, content).await;
    let out = fleet.path("overheard");
    let (stranger, mut events) =
        Node::start(config(&fleet.url(), &manifest, Start::Empty, download(&manifest, out.clone()))).unwrap();
    hear(&mut events, |event| *event == Event::Complete).await;
    soon(stranger.stop()).await.unwrap();
    let identity = fleet.path("one").join(".pleach-agent").join("identity");
    let key = machine_keys::key_for(&manifest, &secret_file::load_or_make(&identity).unwrap()).ok();
    Heard { requests, manifest, packets: fs::read(&out).unwrap(), key }
}

/// [001] B2: encryption. What machines send to each other, requests and packets, tells neither name nor bytes nor key; where
/// nothing is encrypted, the same search finds them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_machines_send_to_each_other_of_an_encrypted_delivery_tells_nobody_what_it_is() {
    let clear = overhear(&[]).await;
    assert_eq!(clear.ways_of(NAME), [true, true, false]);
    assert_eq!(clear.ways_of("nineteen"), [false, false, true]);
    assert!(clear.key.is_none());

    let encrypted = overhear(&["--encrypt"]).await;
    assert!(
        is_in("packed", &encrypted.requests) && is_in("202 Accepted", &encrypted.requests),
        "requests are recorded"
    );
    let key = encrypted.key.as_ref().expect("the machine has it");
    let opened = Packing::open(&encrypted.manifest, Some(key)).unwrap();
    assert_eq!(opened.index().listing().saved_name(), NAME, "it is the key");
    for secret in [NAME, "combination", "nineteen", &key.to_text()] {
        assert_eq!(encrypted.ways_of(secret), [false; 3], "{secret} travels");
    }
}

/// What is answered to these bytes.
fn answer_to(bytes: &[u8], address: SocketAddr) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(bytes).unwrap();
    std::io::read_to_string(socket).unwrap()
}

#[test]
fn a_request_that_is_overheard_and_sent_again_or_altered_does_nothing() {
    const LEN: usize = 100_000;
    let fleet = Fleet::start_with(&["--fleet-fan-out", "1"]);
    let machines = ["one", "two"].map(|name| overheard_machine(&fleet, name));
    insist(0, &fleet.deliver(&fleet.file(LEN), &[]));
    let [to_one, to_two] = machines.each_ref().map(|(_, recorder)| recorder.to_server().first().cloned());
    let (request, told, other) = match (to_one, to_two) {
        (Some(request), None) => (request, machines[0].1.address, machines[1].1.address),
        (None, Some(request)) => (request, machines[1].1.address, machines[0].1.address),
        both => panic!("the tracker tells one, which tells the other: {both:?}"),
    };
    let altered = String::from_utf8(request.clone()).unwrap().replace("film.bin", "evil.exe");
    let begins = |answer: &str, status: &str| assert!(answer.starts_with(status), "{answer}");
    begins(&answer_to(&request, told), "HTTP/1.1 200");
    begins(&answer_to(&request, other), "HTTP/1.1 403");
    begins(&answer_to(altered.as_bytes(), told), "HTTP/1.1 403");
    let report = fleet.report();
    assert_eq!(report["deliveries"].as_array().map(Vec::len), Some(1));
    assert_eq!((&report["deliveries"][0]["done"], &report["failures"]), (&2.into(), &Value::Array(vec![])));
    for name in ["one", "two"] {
        fleet.assert_has(name, LEN);
        assert!(!fleet.path(name).join("evil.exe").exists());
    }
}
