//! `pleach get` with a plain web server as a source: alone, beside peers, and with one that misbehaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::common::{Running, Server, eventually, expect_exit, file_of, path, pleach, sample, text};
use super::web_server::{Answer, Request, WebServer};

const LEN: usize = 3_000_000;

/// A file, described and served from where it lies.
struct Site {
    directory: TempDir,
    server: WebServer,
}

impl Site {
    fn new(len: usize, options: &[&str], answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let (directory, file) = file_of("talk.mp4", len);
        expect_exit(0, &[&["publish", path(&file)][..], options].concat());
        let names = ["talk.mp4", "talk.mp4.pleach", "talk.mp4.pleach-hashes"];
        let files = names.iter().filter_map(|name| Some((*name, fs::read(directory.path().join(name)).ok()?)));
        Self { server: WebServer::start(files.collect(), answer), directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("talk.mp4")
    }

    fn url(&self) -> String {
        self.server.url("talk.mp4.pleach")
    }

    /// Gets it, which must work, and tells how it stood at the end.
    fn get(&self, options: &[&str]) -> Value {
        let out = self.directory.path().join("out");
        let (url, args) = (self.url(), ["-o", path(&out), "--json", "--linger", "0"]);
        let output = expect_exit(0, &[&["get", &url][..], &args, options].concat());
        assert!(fs::read(&out).unwrap() == fs::read(self.file()).unwrap(), "the bytes are the same");
        last_line(&output.stdout)
    }
}

fn last_line(stdout: &[u8]) -> Value {
    serde_json::from_str(text(stdout).lines().last().expect("it tells its end")).unwrap()
}

fn well(_: &Request) -> Answer {
    Answer::Well
}

#[test]
fn a_file_beside_its_description_needs_nobody_else() {
    for len in [0, 1, 65_536, 65_537, LEN] {
        let site = Site::new(len, &[], well);
        let told = site.get(&[]);
        assert_eq!(told["web_bytes"], len as u64);
        assert_eq!((site.server.sent_bytes(), &told["wasted_bytes"]), (len as u64, &Value::from(0)), "no byte twice");
    }
}

#[test]
fn a_tracker_that_is_down_is_no_hindrance() {
    let site = Site::new(LEN, &["--tracker", "http://127.0.0.1:9"], well);
    assert_eq!(site.get(&[])["web_bytes"], LEN);
}

#[test]
fn with_a_seeder_the_server_sends_little() {
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let len = 16 << 20;
    let site = Site::new(len, &["--tracker", &tracker.line], well);
    let manifest = site.directory.path().join("talk.mp4.pleach");
    let _seed = Server::start(&["seed", path(&site.file()), "--manifest", path(&manifest), "--tracker", &tracker.line]);
    let told = site.get(&[]);
    println!("the server sent {} of {len} bytes", site.server.sent_bytes());
    assert!(site.server.sent_bytes() < len as u64 * 6 / 10);
    assert_eq!(told["web_bytes"], site.server.sent_bytes());
}

#[test]
fn when_the_server_goes_down_a_peer_brings_the_rest() {
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let site = Site::new(16 << 20, &["--tracker", &tracker.line], well);
    let manifest = site.directory.path().join("talk.mp4.pleach");
    let out = site.directory.path().join("out");
    let (url, limit) = (site.url(), ["--source-limit", "1MB"]);
    let get = Running::spawn(pleach(&[&["get", &url, "-o", path(&out)][..], &limit].concat()));
    eventually("some of it came from the server", || (site.server.sent_bytes() > 1 << 20).then_some(()));
    site.server.go_down();
    let _seed = Server::start(&["seed", path(&site.file()), "--manifest", path(&manifest), "--tracker", &tracker.line]);
    let output = get.output();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(fs::read(&out).unwrap() == sample(16 << 20));
    assert!(site.server.sent_bytes() < 16 << 20);
}

#[test]
fn a_server_can_be_named_and_left_out() {
    let site = Site::new(LEN, &[], well);
    let described = site.directory.path().join("talk.mp4.pleach");
    let out = site.directory.path().join("named");
    let source = site.server.url("talk.mp4");
    expect_exit(0, &["get", path(&described), "--source", &source, "-o", path(&out)]);
    assert!(fs::read(&out).unwrap() == sample(LEN));
    let said = expect_exit(2, &["get", &site.url(), "--no-source"]).stderr;
    assert!(text(&said).contains("names no tracker and no web server"), "{}", text(&said));
    let said = expect_exit(2, &["get", &site.url(), "--source", "ftp://site.example/"]).stderr;
    assert!(text(&said).contains("http or https"), "{}", text(&said));
}

/// Gets it in spite of how the server answers.
fn get_in_spite_of(answer: impl FnMut(&Request) -> Answer + Send + 'static) -> (Site, Value) {
    let site = Site::new(LEN, &[], answer);
    let told = site.get(&[]);
    assert_eq!(told["web_bytes"], LEN);
    (site, told)
}

#[test]
fn a_small_file_comes_from_a_server_that_knows_no_ranges() {
    get_in_spite_of(|_| Answer::Whole);
}

#[test]
fn what_breaks_off_goes_on() {
    let (site, _) = get_in_spite_of(|request| match request.number {
        0..3 => Answer::Cut(100_000),
        _ => Answer::Well,
    });
    assert!(site.server.requests() > 4);
}

#[test]
fn a_server_that_is_busy_for_a_while_is_asked_again() {
    get_in_spite_of(|request| match request.number {
        0..3 => Answer::Status(503, "retry-after: 1"),
        _ => Answer::Well,
    });
}

#[test]
fn a_server_that_drips_is_asked_again() {
    get_in_spite_of(|request| match request.number {
        0 => Answer::Drip(10_000),
        _ => Answer::Well,
    });
}

#[test]
fn a_redirect_is_followed() {
    get_in_spite_of(|_| Answer::Well);
    let site = Site::new(LEN, &[], well);
    let address = Box::leak(format!("location: {}", site.server.url("talk.mp4")).into_boxed_str());
    let redirecting = WebServer::start(vec![("there", Vec::new())], |_| Answer::Status(302, address));
    site.get(&["--source", &redirecting.url("there")]);
}

/// A server that is of no use ends nothing: a seeder that comes brings all, and the reason is said.
fn get_without(why: &str, len: usize, answer: impl FnMut(&Request) -> Answer + Send + 'static) {
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let site = Site::new(len, &["--tracker", &tracker.line], answer);
    let manifest = site.directory.path().join("talk.mp4.pleach");
    let file = site.file();
    let seed = ["seed", path(&file), "--manifest", path(&manifest), "--tracker", &tracker.line];
    let told = thread::scope(|scope| {
        let get = scope.spawn(|| site.get(&[]));
        eventually("the server is asked for the file", || (site.server.requests() > 0).then_some(()));
        let _seed = Server::start(&seed);
        get.join().unwrap()
    });
    let source = &told["sources"][0];
    assert_eq!(source["state"], "unfit", "{told}");
    assert!(source["trouble"].as_str().unwrap().contains(why), "{source}");
}

#[test]
fn another_file_is_noticed_and_not_kept() {
    get_without("fail verification", LEN, |_| Answer::Of(vec![7; LEN]));
    get_without("another file", LEN, |_| Answer::Of(sample(LEN - 1)));
}

#[test]
fn what_is_not_there_is_not_asked_for_again() {
    get_without("does not have it (404)", LEN, |_| Answer::Status(404, "x: y"));
    get_without("everybody", LEN, |_| Answer::Status(403, "x: y"));
}

#[test]
fn redirects_in_a_circle_end() {
    get_without("without an end", LEN, |_| Answer::Status(302, "location: /talk.mp4"));
}

#[test]
fn a_large_file_needs_ranges() {
    // The end of the file is wanted first, which lies behind what would be passed over.
    let (directory, file) = file_of("talk.mp4", 8 << 20);
    expect_exit(0, &["publish", path(&file), "--priority", "-1MiB=9"]);
    let read = |name: &str| fs::read(directory.path().join(name)).unwrap();
    let files = vec![
        ("talk.mp4", read("talk.mp4")),
        ("talk.mp4.pleach", read("talk.mp4.pleach")),
        ("talk.mp4.pleach-hashes", read("talk.mp4.pleach-hashes")),
    ];
    let server = WebServer::start(files, |_| Answer::Whole);
    let out = directory.path().join("out");
    let url = server.url("talk.mp4.pleach");
    let args = ["get", &url, "-o", path(&out), "--timeout", "2"];
    let said = text(&expect_exit(3, &args).stderr);
    assert!(said.contains("it does not answer Range requests"), "{said}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_file_that_changes_midway_is_noticed() {
    let site = Site::new(LEN, &[], |request| match request.range.as_ref().map_or(0, |range| range.start) {
        // What is asked for side by side with the changed part might be given up with it.
        start if start < LEN / 2 => Answer::Well,
        _ => Answer::Of(vec![9; LEN]),
    });
    let out = site.directory.path().join("out");
    let said = text(&expect_exit(3, &["get", &site.url(), "-o", path(&out), "--timeout", "2"]).stderr);
    assert!(said.contains("it has another file") && said.contains("what is verified is kept"), "{said}");
    assert!(!out.exists());
}

#[test]
fn more_than_was_asked_for_is_not_read() {
    get_in_spite_of(|_| Answer::More);
}

#[test]
fn a_server_that_sends_less_than_it_was_asked_for_is_of_no_use() {
    get_without("other bytes than it was asked for", LEN, |_| Answer::Less);
}

#[test]
fn of_three_servers_one_dies_one_lies_and_the_third_brings_the_rest() {
    let len = 24 << 20;
    let steady = Site::new(len, &[], well);
    let film = || vec![("talk.mp4", sample(len))];
    let dying = WebServer::start(film(), |request| match request.number {
        0 => Answer::Well,
        _ => Answer::Cut(0),
    });
    let lying = WebServer::start(film(), move |_| Answer::Of(vec![7; len]));
    // Each gives so much a second that the others are needed.
    let sources = [dying.url("talk.mp4"), lying.url("talk.mp4"), steady.server.url("talk.mp4")];
    let named = sources.iter().flat_map(|url| ["--source", url]).chain(["--source-limit", "4MB"]);
    let told = steady.get(&named.collect::<Vec<_>>());
    assert_eq!(told["web_bytes"], len);
    assert!(dying.sent_bytes() > 0 && dying.requests() > 1, "it was at it when it died");
    let of_liar = told["sources"].as_array().unwrap().iter().find(|source| source["url"] == sources[1]).unwrap();
    assert_eq!((&of_liar["state"], &of_liar["received_bytes"]), (&Value::from("unfit"), &Value::from(0)), "{told}");
}

#[test]
fn the_limit_is_what_a_server_gives_in_a_second() {
    let site = Site::new(LEN, &[], well);
    let begin = Instant::now();
    let told = site.get(&["--source-limit", "1MB"]);
    // A slow machine makes it longer, nothing makes it shorter: the bucket begins empty.
    assert!(begin.elapsed() >= Duration::from_millis(LEN as u64 / 1_000), "{:?}", begin.elapsed());
    assert_eq!((&told["web_bytes"], site.server.sent_bytes()), (&Value::from(LEN), LEN as u64), "every byte once");
}

#[test]
fn what_was_there_before_is_not_fetched_again() {
    let site = Site::new(LEN, &[], well);
    let out = site.directory.path().join("out");
    let url = site.url();
    let args = ["get", &url, "-o", path(&out), "--source-limit", "500kB"];
    let get = Running::spawn(pleach(&args));
    eventually("some of it came", || (site.server.sent_bytes() > 1 << 20).then_some(()));
    drop(get);
    let before = site.server.sent_bytes();
    expect_exit(0, &["get", &url, "-o", path(&out)]);
    assert!(fs::read(&out).unwrap() == sample(LEN));
    let again = site.server.sent_bytes() - before;
    assert!(again < LEN as u64 - (512 << 10), "{again} bytes the second time, {before} the first");
}

#[test]
fn the_hash_list_is_written_beside_the_description() {
    let (directory, file) = file_of("talk.mp4", LEN);
    expect_exit(0, &["publish", path(&file)]);
    let list = directory.path().join("talk.mp4.pleach-hashes");
    assert_eq!(fs::metadata(&list).unwrap().len(), LEN.div_ceil(65_536) as u64 * 32);
    fs::remove_file(directory.path().join("talk.mp4.pleach")).unwrap();
    let said = text(&expect_exit(4, &["publish", path(&file)]).stderr);
    assert!(said.contains("talk.mp4.pleach-hashes exists already"), "{said}");
    expect_exit(0, &["publish", path(&file), "--force"]);
    let (directory, small) = file_of("small", 65_536);
    expect_exit(0, &["publish", path(&small)]);
    assert!(!directory.path().join("small.pleach-hashes").exists(), "the id verifies it alone");
}
