//! A fleet over lines that are really slow, each machine in a network namespace of its own: one is killed and started
//! again, one says an address at which nobody reaches it, one has a full disk. All others get it, the report is right, and a
//! retry completes it. Where the system allows no such networks the test says so and passes.
//!
//! `PLEACH_BIN` names another program to run than the one that was built for the tests, such as a release build, to measure.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use pleach_lab::line::Profile;
use pleach_lab::network::Network;
use pleach_lab::process::{Hearing, Process};
use pleach_lab::sealed;
use pleach_lab::swarm;
use serde_json::Value;

use super::common::{Running, SOON, path, sample, text};

const MACHINES: usize = 12;
const LEN: usize = 8_000_000;
/// Of lines of 10 Mbit/s both ways, so that the processor is not what is measured.
const SCALE: f64 = 0.5;
/// What lines carry of payload.
const EFFICIENCY: f64 = 0.93;
/// Who is who in the network.
const TRACKER: usize = 0;
const SOURCE: usize = 1;
const FIRST: usize = 2;
const KILLED: usize = 3;
const UNREACHABLE: usize = 4;
const FULL: usize = 5;

#[test]
fn twelve_machines_of_which_one_is_killed_one_not_reached_and_one_full() {
    if sealed::is_inside() {
        return Fleet::new().run();
    }
    if let Err(reason) = sealed::check() {
        eprintln!("skipped: {reason:#}");
        return;
    }
    let mut command = sealed::command(&env::current_exe().unwrap());
    let name = "fleet_lines::twelve_machines_of_which_one_is_killed_one_not_reached_and_one_full";
    command.args(["--exact", name, "--nocapture"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::spawn(command);
    // Longer than a wait for one thing: a delivery at the lines' pace, and a second one.
    let begin = Instant::now();
    while running.is_running() && begin.elapsed() < 3 * SOON {
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = running.output();
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    // How long it took, for who looks.
    said.lines().filter(|line| line.contains("bound")).for_each(|line| println!("{line}"));
}

struct Fleet {
    folder: tempfile::TempDir,
    network: Network,
}

impl Fleet {
    fn new() -> Self {
        let shaped = [Profile::Equal.source(SCALE)].into_iter().chain(Profile::Equal.peers(MACHINES, SCALE, 1));
        let lines: Vec<_> = [None].into_iter().chain(shaped.map(Some)).collect();
        Self { folder: tempfile::tempdir().unwrap(), network: Network::new(&lines).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, node: usize, name: &str, args: &[&str], hearing: &Hearing<'_>) -> Process {
        let program = env::var_os("PLEACH_BIN").map_or_else(|| env!("CARGO_BIN_EXE_pleach").into(), PathBuf::from);
        let mut command = self.network.command(node, &program);
        command.args(args);
        Process::start(command, name, node, self.folder.path(), hearing).unwrap()
    }

    fn run(self) {
        let interrupted = AtomicBool::new(false);
        let hearing = Hearing::new(&interrupted);
        let (token, content) = (self.path("token"), self.path("film.bin"));
        fs::write(&content, sample(LEN)).unwrap();
        let listen = format!("{}:8080", self.network.nodes()[TRACKER].ip);
        let args = ["tracker", "--listen", &listen, "--fleet-token-file", path(&token)];
        let tracker = self.start(TRACKER, "tracker", &args, &hearing);
        let url = hearing.line_of(&tracker, SOON).unwrap();
        let mine = ["--json", "--tracker", &url, "--token-file", path(&token)];

        let full = self.path("m05");
        fs::create_dir(&full).unwrap();
        mount(&["-t", "tmpfs", "-o", "size=1m", "none"], &full);
        let agent = |node: usize| {
            let name = format!("m{node:02}");
            let (into, state) = (self.path(&name), self.path(&format!("state-{name}")));
            let address = if node == UNREACHABLE { "127.0.0.1:0" } else { "0.0.0.0:0" };
            let args = ["agent", "--name", &name, "--group", "lab", "--into", path(&into), "--state", path(&state)];
            let process = self.start(node, &name, &[&args[..], &["--listen", address], &mine].concat(), &hearing);
            assert!(hearing.line_of(&process, SOON).unwrap().contains("enlisted"));
            process
        };
        let mut agents: BTreeMap<usize, Process> = (FIRST..FIRST + MACHINES).map(|node| (node, agent(node))).collect();

        let begin = Instant::now();
        let args = [&["deliver", path(&content), "--group", "lab"], &mine[..]].concat();
        let deliver = self.start(SOURCE, "deliver", &args, &hearing);
        let mut done_at = BTreeMap::new();
        let mut is_killed = false;
        let end = loop {
            let said = hearing.next(SOON).unwrap().expect("somebody says something");
            let Some(line) = said.line else {
                assert_eq!(said.who, KILLED, "nobody else ends");
                agents.insert(KILLED, agent(KILLED));
                continue;
            };
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            if said.who == SOURCE && told["event"] == "end" {
                break told;
            }
            if told["event"] == "done" {
                done_at.insert(said.who, said.at - begin);
            }
            let is_half_way = self.part_bytes(KILLED) > LEN as u64 / 3;
            if !is_killed && is_half_way {
                is_killed = true;
                // Dropped: killed. It is started again when its end is heard.
                agents.remove(&KILLED);
            }
        };
        assert!(is_killed, "it was killed in the middle");
        let failed = failed(&end);
        assert_eq!(failed.len(), 1, "{failed:?}; {}", deliver.last_words());
        assert!(failed["m05"].contains("not enough space"), "{failed:?}");
        for node in (FIRST..FIRST + MACHINES).filter(|node| *node != FULL) {
            self.assert_has(node);
        }
        self.print_times(&done_at);

        mount(&["-o", "remount,size=64m"], &full);
        // What the deliverer says at its end is its own.
        drop(deliver);
        while hearing.next(SOON).unwrap().expect("it ends").line.is_some() {}
        let retry = self.start(SOURCE, "retry", &[&["deliver", "--retry"], &mine[..]].concat(), &hearing);
        let end = loop {
            let line = hearing.line_of(&retry, SOON).unwrap();
            let told: Value = serde_json::from_str(&line).unwrap();
            if told["event"] == "end" {
                break told;
            }
        };
        assert!(self::failed(&end).is_empty(), "{end}");
        // Its disk is seen from its own namespace alone.
        assert!(end["delivery"]["targets"].as_array().unwrap().iter().all(|target| target["state"] == "done"));
    }

    /// Bytes of a partial download that are on the disk, by its record.
    fn part_bytes(&self, node: usize) -> u64 {
        let record = self.path(&format!("m{node:02}")).join("film.bin.pleach-record");
        fs::metadata(record).map_or(0, |metadata| metadata.len().saturating_sub(80) / 68 * 65_536)
    }

    fn assert_has(&self, node: usize) {
        let file = self.path(&format!("m{node:02}")).join("film.bin");
        assert!(fs::read(&file).is_ok_and(|bytes| bytes == sample(LEN)), "{} is not right", file.display());
    }

    /// What the nine took to whom nothing happened, against what their lines allow.
    fn print_times(&self, done_at: &BTreeMap<usize, Duration>) {
        let lines: Vec<_> = self.network.nodes()[FIRST..].iter().filter_map(|node| node.line).collect();
        let source = self.network.nodes()[SOURCE].line.unwrap();
        let bound_s = swarm::rates(source, &lines, LEN as u64, EFFICIENCY).fluid_s();
        let unhurt = done_at.iter().filter(|(node, _)| ![KILLED, FULL].contains(node));
        let last_s = unhurt.map(|(_, at)| at.as_secs_f64()).fold(0.0, f64::max);
        println!("all others had it after {last_s:.1} s, {:.2} of the bound of {bound_s:.1} s", last_s / bound_s);
    }
}

fn failed(end: &Value) -> BTreeMap<String, String> {
    let targets = end["delivery"]["targets"].as_array().unwrap().iter();
    let failed = targets.filter(|target| target["state"] == "failed");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    failed.map(|target| (text(&target["name"]), text(&target["reason"]))).collect()
}

fn mount(args: &[&str], place: &Path) {
    assert!(Command::new("mount").args(args).arg(place).status().unwrap().success());
}
