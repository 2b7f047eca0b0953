//! A download that is killed again and again, at any moment and without warning: nothing wrong is ever kept, and nothing
//! that was recorded is ever fetched again.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use pleach_core::content::{HashTree, Manifest, PACKET_BYTES};
use serde_json::Value;
use tempfile::TempDir;

use super::common::{
    RECORD_HEADER_BYTES, Running, beside, eventually, expect_exit, path, pleach, read_files, write_files,
};

/// How often it is killed, in all.
const KILLS: usize = 100;
/// Downloads that are killed side by side, each from a source of its own.
const CHAINS: usize = 2;
/// What a source sends in a second at most, so that kills hit the middle.
const UPLOAD_BYTES_PER_S: u64 = 4_000_000;
/// What one kill may cost: bytes that were on their way, or had come and were not recorded yet. That is bounded by what
/// a source has on its way to all at once, which is what its uplink carries in a second, and by the packet that it is
/// about to send. What is recorded costs nothing: that is looked at exactly.
const LOST_BYTES_MAX: u64 = UPLOAD_BYTES_PER_S + PACKET_BYTES as u64;

/// Draws from a seed (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

fn seed() -> u64 {
    let given = std::env::var("PLEACH_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs());
    println!("PLEACH_TEST_SEED={seed}");
    seed
}

/// A process that tells in JSON how it goes.
pub(super) struct Teller {
    pub(super) process: Running,
    lines: Arc<Mutex<VecDeque<Value>>>,
    reading: thread::JoinHandle<()>,
}

impl Teller {
    pub(super) fn start(args: &[&str]) -> Self {
        let mut command = pleach(args);
        command.stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let written = lines.clone();
        let reading = thread::spawn(move || {
            let told = stdout.lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok());
            told.for_each(|line| written.lock().unwrap().push_back(line));
        });
        Self { process: Running::new(child), lines, reading }
    }

    /// The last number that it told under this name, if it did.
    pub(super) fn latest(&self, event: &str, field: &str) -> Option<u64> {
        number(self.lines.lock().unwrap().make_contiguous(), event, field)
    }

    pub(super) fn first(&self) -> Value {
        eventually("it says something", || self.lines.lock().unwrap().front().cloned())
    }

    /// Kills it if it still runs; all that it said.
    fn kill(self) -> Vec<Value> {
        drop(self.process);
        self.reading.join().unwrap();
        let mut lines = self.lines.lock().unwrap();
        lines.drain(..).collect()
    }
}

/// A number in the last line that has the event.
fn number(lines: &[Value], event: &str, field: &str) -> Option<u64> {
    lines.iter().rev().find(|line| line["event"] == event)?[field].as_u64()
}

/// Bytes of the packets that are recorded and are on the disk: what the next run must not fetch.
fn kept_bytes(out: &Path, manifest: &Manifest) -> u64 {
    if out.exists() {
        return manifest.size_bytes();
    }
    let record = fs::read(beside(out, ".pleach-record")).unwrap_or_default();
    let journal = record.get(RECORD_HEADER_BYTES as usize..).unwrap_or_default();
    if journal.is_empty() {
        return 0;
    }
    let part = beside(out, ".pleach-part");
    let content = manifest.saved_paths().map(|path| fs::read(part.join(path)).unwrap()).collect::<Vec<_>>().concat();
    let geometry = manifest.geometry();
    let tree = HashTree::restore(geometry, manifest.id(), journal);
    let is_kept = |start: u64, end: u64, packet| tree.check_packet(packet, &content[start as usize..end as usize]);
    let ranges = geometry.all_packets().map(|packet| (packet, geometry.packet_range(packet)));
    ranges.filter(|(packet, range)| is_kept(range.start, range.end, *packet)).map(|(_, range)| range.len()).sum()
}

/// Waits until the moment that is drawn: some time after the start, or some packets after those that are there, at most
/// the last one. `false` if the process has ended before.
fn wait_for_moment(draw: &mut Draw, get: &mut Teller, out: &Path, manifest: &Manifest) -> bool {
    let record = beside(out, ".pleach-record");
    let recorded =
        || fs::metadata(&record).map_or(0, |metadata| metadata.len().saturating_sub(RECORD_HEADER_BYTES) / 68);
    // An entry joins two nodes, so there is one fewer than packets.
    let (begin, entries, entries_max) = (Instant::now(), recorded(), u64::from(manifest.geometry().packets()) - 1);
    let early = (entries == entries_max || draw.below(4) == 0).then(|| Duration::from_millis(draw.below(400)));
    let wanted = (entries + 1 + draw.below(12)).min(entries_max);
    eventually("a moment to kill it", || match early {
        _ if !get.process.is_running() => Some(false),
        Some(time) => (begin.elapsed() >= time).then_some(true),
        None => (recorded() >= wanted).then_some(true),
    })
}

/// A folder with many small files, some of them empty, and its description.
fn folder_of_many(draw: &mut Draw) -> (TempDir, PathBuf, Manifest) {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("many");
    for n in 0..200 {
        let len = if n % 10 == 0 { 0 } else { draw.below(200_000) as usize };
        write_files(&folder, &[(&format!("{}/{n}", n % 7), len)]);
    }
    let described = expect_exit(0, &["publish", path(&folder), "-o", "-"]).stdout;
    (directory, folder, Manifest::parse(&described).unwrap())
}

/// Gets a folder, and whenever it is whole another time, until it was killed so often. Gives what that cost.
fn kill_again_and_again(mut draw: Draw, kills_max: usize) -> u64 {
    let (directory, folder, manifest) = folder_of_many(&mut draw);
    let limit = UPLOAD_BYTES_PER_S.to_string();
    let flags = ["--listen", "127.0.0.1:0", "--no-qr", "--upload-limit", &limit, "--json"];
    let mut share = Teller::start(&[&["share", path(&folder)][..], &flags].concat());
    let link = share.first()["link"].as_str().unwrap().to_owned();
    let (mut kills, mut wholes, mut kept) = (0, 0, 0);
    while kills < kills_max || kept > 0 {
        let out = directory.path().join(format!("out {wholes}"));
        let mut get = Teller::start(&["get", &link, "-o", path(&out), "--linger", "0", "--json"]);
        let is_killed = kills < kills_max && wait_for_moment(&mut draw, &mut get, &out, &manifest);
        if !is_killed {
            assert!(get.process.wait().success());
        }
        let told = get.kill();
        let resumed = number(&told, "resumed", "have_bytes");
        assert!(resumed.is_none_or(|bytes| bytes == kept), "{kept} bytes were recorded, {resumed:?} are known again");
        if is_killed {
            kills += 1;
            kept = kept_bytes(&out, &manifest);
            continue;
        }
        // Who was killed after the last rename finds it whole and fetches nothing.
        if let Some(received_bytes) = number(&told, "end", "received_bytes") {
            let wasted_bytes = number(&told, "end", "wasted_bytes").unwrap();
            assert_eq!(received_bytes - wasted_bytes, manifest.size_bytes() - kept, "what is missing is fetched, once");
        }
        assert!(read_files(&out) == read_files(&folder), "no wrong byte");
        assert!(!beside(&out, ".pleach-part").exists() && !beside(&out, ".pleach-record").exists(), "no litter");
        (wholes, kept) = (wholes + 1, 0);
    }
    share.process.signal(rustix::process::Signal::INT);
    share.process.wait();
    let sent_bytes = number(&share.kill(), "end", "sent_bytes").unwrap();
    sent_bytes.saturating_sub(wholes * manifest.size_bytes())
}

#[test]
fn a_hundred_kills_cost_no_byte_that_was_recorded() {
    let (seed, begin) = (seed(), Instant::now());
    let chain = |chain: usize| kill_again_and_again(Draw(seed + chain as u64), KILLS / CHAINS);
    let lost_bytes: u64 = thread::scope(|scope| {
        let chains: Vec<_> = (0..CHAINS).map(|number| scope.spawn(move || chain(number))).collect();
        chains.into_iter().map(|chain| chain.join().unwrap()).sum()
    });
    println!("{KILLS} kills in {:?} cost {} bytes each", begin.elapsed(), lost_bytes / KILLS as u64);
    assert!(lost_bytes <= KILLS as u64 * LOST_BYTES_MAX, "{lost_bytes}");
}
