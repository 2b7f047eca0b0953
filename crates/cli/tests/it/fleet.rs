//! Fleets of real processes: a tracker with a ledger, machines, deliveries; and what goes wrong with each of them.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::common::{Running, Server, eventually, expect_exit, finish, path, pleach, sample, text, wait_for_part};
use super::recording::{Recorder, is_in};

/// A tracker with a fleet, and a folder for all that belongs to it.
pub(super) struct Fleet {
    folder: TempDir,
    tracker: Option<Server>,
    address: String,
    /// Through which all others come to the tracker, if there is one.
    recorder: Option<Recorder>,
    /// More arguments of the tracker.
    more: &'static [&'static str],
}

impl Fleet {
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(super) fn start_with(more: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut fleet = Self { folder, tracker: None, address: "127.0.0.1:0".into(), recorder: None, more };
        fleet.start_tracker();
        fleet
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn token(&self) -> String {
        path(&self.path("token")).to_owned()
    }

    /// On the port that it had before, if it had one.
    fn start_tracker(&mut self) {
        let token = self.token();
        let fixed = ["tracker", "--listen", &self.address, "--fleet-token-file", &token];
        let tracker = Server::start(&[&fixed, self.more].concat());
        self.address = tracker.line.strip_prefix("http://").unwrap().to_owned();
        self.tracker = Some(tracker);
    }

    fn kill_tracker(&mut self) {
        let tracker = self.tracker.take().expect("it runs");
        tracker.process.signal(Signal::KILL);
    }

    pub(super) fn url(&self) -> String {
        match &self.recorder {
            Some(recorder) => format!("http://{}", recorder.address),
            None => format!("http://{}", self.address),
        }
    }

    /// From now on what machines and those who deliver say to the tracker, and it to them, is kept.
    fn record(&mut self) {
        self.recorder = Some(Recorder::start(self.address.parse().unwrap()));
    }

    /// Arguments with where the fleet is.
    fn args<'a>(&self, args: &[&'a str], mine: &'a [String; 4]) -> Vec<&'a str> {
        args.iter().copied().chain(mine.iter().map(String::as_str)).collect()
    }

    fn mine(&self) -> [String; 4] {
        ["--tracker".into(), self.url(), "--token-file".into(), self.token()]
    }

    fn agent_command(&self, name: &str, more: &[&str]) -> Command {
        let (mine, into) = (self.mine(), self.path(name));
        let fixed = ["agent", "--json", "--name", name, "--group", "office", "--into", path(&into)];
        pleach(&self.args(&[&fixed, more].concat(), &mine))
    }

    /// A machine that is enlisted, on the loopback.
    pub(super) fn agent(&self, name: &str, more: &[&str]) -> Server {
        let more =
            if more.contains(&"--listen") { more.to_vec() } else { [&["--listen", "127.0.0.1:0"], more].concat() };
        let agent = Server::of(self.agent_command(name, &more));
        assert!(agent.line.contains("enlisted"), "{}", agent.line);
        agent
    }

    pub(super) fn file(&self, len: usize) -> PathBuf {
        let file = self.path("film.bin");
        fs::write(&file, sample(len)).unwrap();
        file
    }

    pub(super) fn deliver_command(&self, args: &[&str]) -> Command {
        pleach(&self.args(&[&["deliver"], args].concat(), &self.mine()))
    }

    /// Delivers to the group, to the end.
    pub(super) fn deliver(&self, file: &Path, more: &[&str]) -> Output {
        finish(self.deliver_command(&[&[path(file), "--group", "office"], more].concat()))
    }

    pub(super) fn report(&self) -> Value {
        let output = finish(pleach(&self.args(&["report", "--json"], &self.mine())));
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn delivered(&self, name: &str) -> PathBuf {
        self.path(name).join("film.bin")
    }

    pub(super) fn assert_has(&self, name: &str, len: usize) {
        assert!(fs::read(self.delivered(name)).unwrap() == sample(len), "{name} has another file");
    }

    fn wait_until_has(&self, name: &str, len: usize) {
        eventually("it is there", || self.delivered(name).exists().then_some(()));
        self.assert_has(name, len);
    }
}

pub(super) fn insist(code: i32, output: &Output) -> String {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// [001] B2, B3: told by relays and by the socket, acknowledged, and reported.
#[test]
fn all_machines_get_it_whether_others_can_reach_them_or_not() {
    const LEN: usize = 3_000_001;
    let fleet = Fleet::start();
    let names = ["one", "two", "three", "four", "five", "six"];
    let _agents: Vec<Server> = names
        .iter()
        .map(|name| match *name {
            "three" => fleet.agent(name, &["--listen", "none"]),
            _ => fleet.agent(name, &[]),
        })
        .collect();
    let output = fleet.deliver(&fleet.file(LEN), &[]);
    let said = insist(0, &output);
    assert!(said.contains("6 of 6 machines have it"), "{said}");
    names.iter().for_each(|name| fleet.assert_has(name, LEN));

    let report = fleet.report();
    assert_eq!(report["agents"].as_array().unwrap().len(), 6);
    assert!(report["agents"].as_array().unwrap().iter().all(|agent| agent["done"] == 1 && agent["connected"] == true));
    assert_eq!(report["deliveries"][0]["id"], text(&output.stdout).trim());
    assert_eq!((&report["deliveries"][0]["done"], &report["failures"]), (&6.into(), &Value::Array(vec![])));
    let shown = text(&finish(pleach(&fleet.args(&["report"], &fleet.mine()))).stdout);
    assert!(shown.contains("film.bin") && shown.contains("6 of 6") && shown.contains("three"), "{shown}");
}

#[test]
fn some_are_named_and_what_is_not_there_is_told() {
    const LEN: usize = 100_000;
    let fleet = Fleet::start();
    let _agents = ["one", "two"].map(|name| fleet.agent(name, &[]));
    let file = fleet.file(LEN);
    let output = fleet.deliver(&file, &["--target", "two", "--json"]);
    insist(0, &output);
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect();
    assert_eq!(lines.first().unwrap()["event"], "delivery");
    let end = lines.last().unwrap();
    assert_eq!((&end["event"], &end["delivery"]["targets"][0]["state"]), (&"end".into(), &"done".into()));
    fleet.assert_has("two", LEN);
    assert!(!fleet.delivered("one").exists());

    let said = insist(3, &fleet.deliver(&file, &["--target", "three"]));
    assert!(said.contains("no machine of group office is called three"), "{said}");
    let attic = fleet.deliver_command(&[path(&file), "--group", "attic"]);
    let said = insist(3, &finish(attic));
    assert!(said.contains("no machine of group attic"), "{said}");
    let said = insist(3, &finish(fleet.deliver_command(&["--retry"])));
    assert!(said.contains("nothing has failed"), "{said}");
}

#[test]
fn one_that_is_killed_in_the_middle_goes_on_when_it_is_started_again() {
    const LEN: usize = 10_000_000;
    let fleet = Fleet::start();
    let _others = ["one", "two"].map(|name| fleet.agent(name, &["--upload-limit", "1MB"]));
    let killed = fleet.agent("three", &[]);
    let file = fleet.file(LEN);
    let limited = ["--group", "office", "--upload-limit", "6MB"];
    let deliver = Running::spawn(fleet.deliver_command(&[&[path(&file)], &limited[..]].concat()));
    wait_for_part(&fleet.delivered("three"), 1_000_000);
    killed.process.signal(Signal::KILL);
    drop(killed);
    assert!(!fleet.delivered("three").exists(), "it was killed in the middle");
    let _again = fleet.agent("three", &[]);
    insist(0, &deliver.output());
    ["one", "two", "three"].iter().for_each(|name| fleet.assert_has(name, LEN));
}

/// It is told and has no description, has nothing but that, is in the middle, has all, and gives it to others.
#[test]
fn one_that_is_killed_in_every_phase_gets_it_and_gives_it() {
    const LEN: usize = 5_000_000;
    let fleet = Fleet::start();
    // What a new process says first may be of the delivery.
    let start = || Server::of(fleet.agent_command("one", &["--listen", "127.0.0.1:0"]));
    let mut killed = start();
    let file = fleet.file(LEN);
    let limited = [path(&file), "--group", "office", "--upload-limit", "1MB"];
    let deliver = Running::spawn(fleet.deliver_command(&limited));
    let state = fleet.path("one").join(".pleach-agent");
    let wait_for_kept = |what: &str| {
        eventually("it is kept", || {
            fs::read_dir(&state).ok()?.flatten().find(|entry| entry.path().extension().is_some_and(|kind| kind == what))
        });
    };
    let phases: [&dyn Fn(); 4] = [
        &|| wait_for_kept("json"),
        &|| wait_for_kept("pleach"),
        &|| wait_for_part(&fleet.delivered("one"), 1_000_000),
        &|| fleet.wait_until_has("one", LEN),
    ];
    for wait_for_phase in phases {
        wait_for_phase();
        drop(killed);
        killed = start();
    }
    insist(0, &deliver.output());
    drop(killed);
    let _again = start();
    let _second = fleet.agent("two", &[]);
    fleet.wait_until_has("two", LEN);
    fleet.assert_has("one", LEN);
}

#[test]
fn a_tracker_that_is_killed_in_the_middle_goes_on_from_its_ledger() {
    const LEN: usize = 10_000_000;
    let mut fleet = Fleet::start();
    let _agents = ["one", "two"].map(|name| fleet.agent(name, &[]));
    let file = fleet.file(LEN);
    let limited = [path(&file), "--group", "office", "--upload-limit", "4MB"];
    let deliver = Running::spawn(fleet.deliver_command(&limited));
    wait_for_part(&fleet.delivered("one"), 1_000_000);
    fleet.kill_tracker();
    fleet.start_tracker();
    let output = deliver.output();
    let said = insist(0, &output);
    assert!(said.contains("2 of 2 machines have it"), "{said}");
    ["one", "two"].iter().for_each(|name| fleet.assert_has(name, LEN));
    let report = fleet.report();
    assert_eq!(report["deliveries"][0]["id"], text(&output.stdout).trim());
    assert_eq!(report["deliveries"][0]["done"], 2);
}

/// The description of a delivery outlives the tracker's process, though nobody is there who could leave it again.
#[test]
fn a_tracker_that_was_killed_still_has_the_description_of_what_is_delivered() {
    const LEN: usize = 200_000;
    let mut fleet = Fleet::start();
    let agent = fleet.agent("one", &[]);
    insist(0, &fleet.deliver(&fleet.file(LEN), &[]));
    drop(agent);
    fleet.kill_tracker();
    fleet.start_tracker();
    let link = format!("{}/{}", fleet.url(), blake3::hash(&sample(LEN)).to_hex());
    let told: Value = serde_json::from_slice(&expect_exit(0, &["inspect", &link, "--json"]).stdout).unwrap();
    assert_eq!((&told["name"], &told["size_bytes"]), (&"film.bin".into(), &LEN.into()));
}

/// Without a ledger a tracker that starts anew knows of no delivery. Those who give leave the description again; once they
/// have gone it is nowhere.
#[test]
fn without_a_ledger_descriptions_are_there_while_somebody_gives() {
    const LEN: usize = 200_000;
    let mut fleet = Fleet::start_with(&["--ledger", "none"]);
    let agent = fleet.agent("one", &[]);
    insist(0, &fleet.deliver(&fleet.file(LEN), &[]));
    assert_eq!(fleet.report()["deliveries"].as_array().map(Vec::len), Some(1));
    fleet.kill_tracker();
    fleet.start_tracker();
    assert_eq!(fleet.report()["deliveries"].as_array().map(Vec::len), Some(0), "all forgotten");
    let link = format!("{}/{}", fleet.url(), blake3::hash(&sample(LEN)).to_hex());
    let inspect = || finish(pleach(&["inspect", &link, "--json"]));
    let told = eventually("the machine left it again", || Some(inspect()).filter(|output| output.status.success()));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["name"], "film.bin");
    drop(agent);
    fleet.kill_tracker();
    fleet.start_tracker();
    let said = insist(3, &inspect());
    assert!(said.contains("nobody shares it there any more"), "{said}");
}

/// [001] B1: what others received of a machine is in the ledger, and its own word is not.
#[test]
fn what_machines_give_to_each_other_is_their_speed_in_the_ledger() {
    const LEN: usize = 12_000_000;
    let mut fleet = Fleet::start();
    let names = ["one", "two", "three"];
    let _agents = names.map(|name| fleet.agent(name, &[]));
    // So slow that most of it comes from each other, for so long that it can be seen.
    let limited = [path(&fleet.file(LEN)), "--group", "office", "--upload-limit", "1.5MB"].map(str::to_owned);
    let deliver = Running::spawn(fleet.deliver_command(&limited.each_ref().map(String::as_str)));
    insist(0, &deliver.output());
    names.iter().for_each(|name| fleet.assert_has(name, LEN));
    let known = |fleet: &Fleet| {
        let report = fleet.report();
        let speeds = report["agents"].as_array().unwrap().iter().map(|agent| agent["bytes_per_s"].as_u64());
        speeds.flatten().max()
    };
    eventually("some of them were seen to send", || known(&fleet).filter(|bytes_per_s| *bytes_per_s > 10_000));
    fleet.kill_tracker();
    fleet.start_tracker();
    assert!(known(&fleet).is_some(), "it is in the ledger");
}

#[test]
fn operators_see_the_fleet() {
    let fleet = Fleet::start();
    let _agents = ["one", "two"].map(|name| fleet.agent(name, &[]));
    insist(0, &fleet.deliver(&fleet.file(100_000), &[]));
    let stats: Value = serde_json::from_str(&http_get(&fleet.address, "/stats.json")).unwrap();
    let told = &stats["fleet"];
    let counts = ["machines", "machines_connected", "deliveries", "deliveries_open", "failures"];
    assert_eq!(counts.map(|name| told[name].as_u64().unwrap()), [2, 2, 1, 0, 0], "{told}");
    assert!(told["ledger_waiting"].is_u64(), "{told}");
    let metrics = http_get(&fleet.address, "/metrics");
    for line in ["fleet_machines 2", "fleet_machines_connected 2", "fleet_deliveries_open 0", "fleet_deliveries_done 1"]
    {
        assert!(metrics.contains(&format!("\npleach_tracker_{line}\n")), "{line}: {metrics}");
    }
}

/// The body of an answer.
fn http_get(address: &str, what: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET {what} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let answer = std::io::read_to_string(socket).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("it has a head");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body.to_owned()
}

/// [001] B3: "repeated in the next transfer".
#[test]
fn what_failed_is_said_and_a_retry_completes_it_from_other_machines() {
    const LEN: usize = 2_000_000;
    let fleet = Fleet::start();
    let _agents = ["one", "two", "three"].map(|name| fleet.agent(name, &[]));
    let in_the_way = fleet.delivered("two");
    fs::write(&in_the_way, "another film").unwrap();
    let output = fleet.deliver(&fleet.file(LEN), &[]);
    let said = insist(7, &output);
    assert!(said.contains("1 of 3 machines did not get film.bin"), "{said}");
    assert!(said.contains("two: ") && said.contains("film.bin exists already"), "{said}");
    assert_eq!(fs::read_to_string(&in_the_way).unwrap(), "another film", "nothing is replaced that was not to be");
    ["one", "three"].iter().for_each(|name| fleet.assert_has(name, LEN));
    let report = fleet.report();
    assert!(report["failures"][0]["reason"].as_str().unwrap().contains("exists already"), "{report}");

    fs::remove_file(&in_the_way).unwrap();
    // Nobody gives it now but the machines that have it.
    let retried = finish(fleet.deliver_command(&["--retry"]));
    let said = insist(0, &retried);
    assert_eq!(text(&retried.stdout), text(&output.stdout), "the same delivery");
    assert!(said.contains("3 of 3 machines have it"), "{said}");
    fleet.assert_has("two", LEN);
}

/// [001] B5.
#[test]
fn one_that_was_away_and_one_that_is_new_get_it_without_being_asked_again() {
    const LEN: usize = 1_000_000;
    let fleet = Fleet::start();
    let _here = fleet.agent("here", &[]);
    let away = fleet.agent("away", &[]);
    away.process.signal(Signal::TERM);
    let (status, said) = away.end();
    assert!(status.success(), "{said}");
    assert!(said.ends_with("stopped\n"), "{said}");
    let said = insist(7, &fleet.deliver(&fleet.file(LEN), &["--away", "1"]));
    assert!(said.contains("away: it is not connected"), "{said}");
    fleet.assert_has("here", LEN);

    let _back = fleet.agent("away", &[]);
    let _newcomer = fleet.agent("newcomer", &[]);
    fleet.wait_until_has("away", LEN);
    fleet.wait_until_has("newcomer", LEN);
    eventually("the report says so", || {
        let report = fleet.report();
        (report["deliveries"][0]["done"] == 3).then_some(())
    });
}

/// [001] B5: who ordered it has gone, and who has it has not been giving it since it was killed.
#[test]
fn one_that_ends_while_it_gives_to_others_gives_again_when_it_is_wanted() {
    const LEN: usize = 1_000_000;
    let fleet = Fleet::start();
    let first = fleet.agent("first", &[]);
    insist(0, &fleet.deliver(&fleet.file(LEN), &[]));
    first.process.signal(Signal::KILL);
    drop(first);
    let _first = fleet.agent("first", &[]);
    let _second = fleet.agent("second", &[]);
    fleet.wait_until_has("second", LEN);
}

/// [001] B4: compressed packet by packet on the way, and the files are as they were; also for one that comes late and has it
/// of one that packs them again.
#[test]
fn what_is_compressed_arrives_as_it_was_and_is_given_on() {
    let text = "All work and no play makes Jack a dull boy.\n".repeat(100_000);
    let fleet = Fleet::start();
    let first = fleet.agent("first", &[]);
    let file = fleet.path("film.bin");
    fs::write(&file, &text).unwrap();
    insist(0, &fleet.deliver(&file, &["--compress"]));
    assert!(fs::read_to_string(fleet.delivered("first")).unwrap() == text, "as it was");
    let size_bytes = fleet.report()["deliveries"][0]["size_bytes"].as_u64().unwrap();
    assert!(size_bytes < text.len() as u64 / 10, "{size_bytes} bytes travelled");
    first.process.signal(Signal::KILL);
    drop(first);
    let _first = fleet.agent("first", &[]);
    let _second = fleet.agent("second", &[]);
    eventually("the second has it too", || {
        fs::read_to_string(fleet.delivered("second")).ok().filter(|got| *got == text)
    });
}

/// [001] B2: encryption. Whom it was encrypted for has it, also from each other and after a restart; a newcomer is told why it
/// does not; the tracker keeps, tells and hears neither names nor bytes.
#[test]
fn what_is_encrypted_is_had_by_the_machines_it_is_for_and_seen_by_nobody_else() {
    const SECRET: &str = "the combination of the safe is seven, nineteen, forty-two\n";
    let mut fleet = Fleet::start();
    fleet.record();
    let file = fleet.path("combination-of-the-safe.txt");
    fs::write(&file, SECRET.repeat(20_000)).unwrap();
    let said = text(&fleet.deliver(&file, &["--encrypt"]).stderr);
    assert!(said.contains("nobody could open"), "there is no machine yet: {said}");

    let first = fleet.agent("first", &[]);
    let second = fleet.agent("second", &[]);
    second.process.signal(Signal::KILL);
    drop(second);
    // The second is away when it is ordered, and has it of the first when the deliverer has gone.
    insist(7, &fleet.deliver(&file, &["--encrypt", "--away", "1"]));
    let has = |name: &str| fs::read_to_string(fleet.path(name).join("combination-of-the-safe.txt")).ok();
    assert!(has("first").is_some_and(|got| got == SECRET.repeat(20_000)), "as it was");
    first.process.signal(Signal::KILL);
    drop(first);
    let _first = fleet.agent("first", &[]);
    let _second = fleet.agent("second", &[]);
    eventually("the second has it too", || has("second").filter(|got| *got == SECRET.repeat(20_000)));

    let _late = fleet.agent("late", &[]);
    let reason = eventually("it is told why the newcomer can't have it", || {
        let failures = fleet.report()["failures"].clone();
        let of_late = |failure: &&Value| failure["name"] == "late";
        failures.as_array()?.iter().find(of_late).map(|failure| failure["reason"].to_string())
    });
    assert!(reason.contains("no key in it for this machine"), "{reason}");
    assert!(has("late").is_none());

    let report = fleet.report();
    let told = report.to_string() + &http_get(&fleet.address, "/stats.json");
    fleet.kill_tracker();
    let kept = ["token.ledger", "token.ledger-wal"].map(|name| fs::read(fleet.path(name)).unwrap_or_default()).concat();
    assert!(kept.len() > 4_096 && !told.is_empty());
    let recorder = fleet.recorder.take().unwrap();
    let (heard, said) = (recorder.to_server(), recorder.said_by_server());
    // What may be seen is found, in what was asked and in the frames of sockets; so would the secret be.
    for (visible, way) in [
        ("\"type\":\"enlist\"", &heard),
        ("\"type\":\"enlisted\"", &said),
        ("\"keys\":{", &heard),
        ("\"keys\":{", &said),
    ] {
        assert!(way.iter().any(|stream| is_in(visible, stream)), "{visible} does not travel");
    }
    for secret in ["combination", "nineteen"] {
        assert!(!is_in(secret, &kept) && !is_in(secret, told.as_bytes()), "the tracker knows of {secret}");
        let travels = heard.iter().chain(&said).any(|stream| is_in(secret, stream));
        assert!(!travels, "{secret} travels");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_of_one_is_said_and_concerns_nobody_else() {
    const LEN: usize = 4 << 20;
    let fleet = Fleet::start();
    let _others = ["one", "two"].map(|name| fleet.agent(name, &[]));
    let (full, state) = (fleet.path("full"), fleet.path("state-of-full"));
    fs::create_dir(&full).unwrap();
    let mut tried = Command::new("unshare");
    let script = "mount -t tmpfs -o size=1m none \"$0\"";
    tried.args(["--mount", "--map-root-user", "sh", "-ec", script]).arg(&full).stderr(Stdio::null());
    if !tried.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system allows no mounts in a namespace of its own");
        return;
    }
    let agent = fleet.agent_command("full", &["--listen", "127.0.0.1:0", "--state", path(&state)]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-ec", &format!("{script}; exec \"$@\"")]).arg(&full);
    command.arg(agent.get_program()).args(agent.get_args());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let _full = Server::of(command);

    let said = insist(7, &fleet.deliver(&fleet.file(LEN), &[]));
    assert!(said.contains("full: not enough space for"), "{said}");
    ["one", "two"].iter().for_each(|name| fleet.assert_has(name, LEN));
    assert_eq!(fleet.report()["failures"].as_array().unwrap().len(), 1);
}

#[test]
fn who_has_another_token_or_none_is_turned_away() {
    let fleet = Fleet::start();
    let other = fleet.path("other-token");
    fs::write(&other, format!("{}\n", "ab".repeat(32))).unwrap();
    let (url, into) = (fleet.url(), fleet.path("thief"));
    let agent = ["agent", "--name", "thief", "--group", "office", "--into", path(&into), "--tracker", &url];
    let said = text(&expect_exit(1, &[&agent[..], &["--token-file", path(&other)]].concat()).stderr);
    assert!(said.contains("the tracker refused: the token is not that of this tracker's fleet"), "{said}");
    let said = text(&expect_exit(2, &agent).stderr);
    assert!(said.contains("the fleet's token is missing"), "{said}");
    let report = ["report", "--tracker", &url, "--token-file", path(&other)];
    assert!(text(&expect_exit(1, &report).stderr).contains("the token is not that"));

    let plain = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let report = ["report", "--tracker", &plain.line, "--token-file", path(&other)];
    let said = text(&expect_exit(1, &report).stderr);
    assert!(said.contains("runs no fleet") && said.contains("--fleet-token-file"), "{said}");
}

#[test]
fn a_ledger_that_is_none_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (token, notes) = (folder.path().join("token"), folder.path().join("notes"));
    fs::write(&notes, "these are notes\n".repeat(50)).unwrap();
    let tracker = ["tracker", "--listen", "127.0.0.1:0", "--ledger", path(&notes)];
    let said = text(&expect_exit(1, &[&tracker[..], &["--fleet-token-file", path(&token)]].concat()).stderr);
    assert!(said.contains("is no ledger of Pleach"), "{said}");
    let said = text(&expect_exit(2, &tracker).stderr);
    assert!(said.contains("fleet_token_file"), "{said}");

    let none = ["tracker", "--listen", "127.0.0.1:0", "--ledger", "none", "--fleet-token-file", path(&token)];
    let _tracker = Server::start(&none);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the token and the notes");
}
