//! Real files, damaged as files are.

use std::fs;

use pleach_core::fleet::TargetRecord;
use pleach_core::ids::{AgentId, ContentId, ManifestDigest, RequestId};
use pleach_core::wire::fleet::api::{AgentRecord, DeliveryOrder, FailureRecord, TargetState};
use tempfile::TempDir;

use super::*;

fn agent(number: u8) -> AgentRecord {
    AgentRecord {
        agent: AgentId::from_bytes([number; 32]),
        name: format!("machine {number}").parse().unwrap(),
        group: "office".parse().unwrap(),
        first_seen_ms: 1,
        last_seen_ms: 2,
        response_us: Some(900),
        bytes_per_s: None,
        done: 3,
        failed: 1,
    }
}

fn order(number: u8) -> DeliveryOrder {
    DeliveryOrder {
        id: RequestId::from_bytes([number; 16]),
        group: "office".parse().unwrap(),
        names: Vec::new(),
        content: ContentId::from_bytes([1; 32]),
        manifest: ManifestDigest::from_bytes([2; 16]),
        size_bytes: 5,
        title: "talk.mp4".into(),
        sources: vec!["https://site.example/talk.mp4".into()],
        active_from_ms: None,
        active_until_ms: Some(u64::MAX),
        away_ms_max: 30_000,
    }
}

fn target(agent: u8, request: u8, state: TargetState) -> Change {
    let target = TargetRecord { name: "machine".parse().unwrap(), state, reason: Some("why".into()) };
    Change::Target { request: RequestId::from_bytes([request; 16]), agent: AgentId::from_bytes([agent; 32]), target }
}

fn failure(at_ms: u64) -> Change {
    Change::Failure(FailureRecord {
        at_ms,
        request: RequestId::from_bytes([7; 16]),
        agent: AgentId::from_bytes([1; 32]),
        name: "machine".parse().unwrap(),
        reason: "no space left on the disk".into(),
    })
}

fn begin() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    (folder, path)
}

fn delivery(number: u8, round: u32) -> Change {
    Change::Delivery { order: order(number), created_ms: 11, round }
}

/// [001] B1: the network information database survives.
#[test]
fn what_was_kept_is_there_after_a_restart() {
    let (_folder, path) = begin();
    let (ledger, kept) = Ledger::open(&path).unwrap();
    assert_eq!(kept, Kept::default());
    ledger.keep(Entry::Change(Change::Agent(agent(1))));
    ledger.keep(Entry::Change(Change::Agent(agent(2))));
    ledger.keep(Entry::Change(Change::ForgetAgent(agent(2).agent)));
    ledger.keep(Entry::Change(delivery(7, 0)));
    ledger.keep(Entry::Change(target(1, 7, TargetState::Waiting)));
    ledger.keep(Entry::Change(target(1, 7, TargetState::Failed)));
    ledger.keep(Entry::Change(delivery(7, 1)));
    ledger.keep(Entry::Change(delivery(8, 0)));
    ledger.keep(Entry::Change(target(1, 8, TargetState::Done)));
    ledger.keep(Entry::Change(Change::ForgetDelivery(RequestId::from_bytes([8; 16]))));
    ledger.keep(Entry::Change(failure(5)));
    drop(ledger);
    let (_ledger, kept) = Ledger::open(&path).unwrap();
    assert_eq!(kept.fleet.agents, [agent(1)]);
    assert_eq!(kept.fleet.deliveries.len(), 1);
    assert_eq!((kept.fleet.deliveries[0].order.clone(), kept.fleet.deliveries[0].round), (order(7), 1));
    let targets: Vec<_> = kept.fleet.deliveries[0].targets.values().map(|target| target.state).collect();
    assert_eq!(targets, [TargetState::Failed]);
    assert_eq!(kept.fleet.failures.len(), 1);
}

/// As the program that knew version 1 alone left it: its tables, word for word, and rows that it wrote.
const VERSION_1: &str = include_str!("version-1.sql");

#[test]
fn a_file_of_version_1_is_read_and_goes_on_as_one_of_this_version() {
    let (_folder, path) = begin();
    rusqlite::Connection::open(&path).unwrap().execute_batch(VERSION_1).unwrap();
    let (ledger, kept) = Ledger::open(&path).unwrap();
    assert_eq!(kept.fleet.agents, [agent(1)]);
    assert_eq!(kept.fleet.deliveries.len(), 1);
    assert_eq!((kept.fleet.deliveries[0].order.clone(), kept.fleet.deliveries[0].round), (order(7), 1));
    assert_eq!(kept.fleet.deliveries[0].targets.values().next().map(|target| target.state), Some(TargetState::Failed));
    assert_eq!((kept.fleet.failures.len(), kept.manifests.len()), (1, 0));
    // What came with version 2, beside what was there.
    ledger.keep(manifest(5, 10));
    ledger.keep(Entry::Change(failure(9)));
    drop(ledger);
    let (ledger, kept) = Ledger::open(&path).unwrap();
    assert_eq!((kept.manifests, kept.fleet.failures.len()), (vec![vec![5; 10]], 2));
    assert_eq!(kept.fleet.agents, [agent(1)]);
    drop(ledger);
    let version: i64 =
        rusqlite::Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 2);
}

#[test]
fn failures_are_pruned_the_oldest_first() {
    let (_folder, path) = begin();
    let (ledger, _) = Ledger::open(&path).unwrap();
    let max = pleach_core::fleet::FAILURES_MAX as u64;
    (0..max + 10).for_each(|at_ms| ledger.keep(Entry::Change(failure(at_ms))));
    drop(ledger);
    let (_ledger, kept) = Ledger::open(&path).unwrap();
    assert_eq!(kept.fleet.failures.len() as u64, max);
    assert_eq!(kept.fleet.failures[0].at_ms, 10);
}

#[test]
fn one_tracker_has_it_and_no_second_one() {
    let (_folder, path) = begin();
    let (_ledger, _) = Ledger::open(&path).unwrap();
    let error = Ledger::open(&path).unwrap_err();
    assert!(matches!(error, LedgerError::InUse { .. }), "{error}");
}

#[test]
fn files_of_another_kind_or_a_newer_version_are_refused_and_left_alone() {
    let (folder, path) = begin();
    let notes = folder.path().join("notes.txt");
    let text = "these are notes, and no ledger at all\n".repeat(100);
    fs::write(&notes, &text).unwrap();
    let error = Ledger::open(&notes).unwrap_err();
    assert!(matches!(error, LedgerError::Other { .. }), "{error}");
    assert_eq!(fs::read_to_string(&notes).unwrap(), text);

    let other = folder.path().join("other.sqlite");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE things (name TEXT)").unwrap();
    assert!(matches!(Ledger::open(&other), Err(LedgerError::Other { .. })));

    drop(Ledger::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Ledger::open(&path).unwrap_err();
    assert!(error.to_string().contains("version 99"), "{error}");
    let error = Ledger::open(folder.path()).unwrap_err();
    assert!(error.to_string().starts_with("cannot open"), "{error}");
}

#[test]
fn a_damaged_file_is_told_at_the_start_wherever_it_is_damaged() {
    let (_folder, path) = begin();
    let (ledger, _) = Ledger::open(&path).unwrap();
    (0..200).for_each(|number| ledger.keep(Entry::Change(Change::Agent(agent(number)))));
    drop(ledger);
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 16_384);
    let (mut refused, step) = (0, 512);
    for at in (0..whole.len()).step_by(step) {
        let mut damaged = whole.clone();
        damaged[at..at + step / 2].fill(0xa5);
        fs::write(&path, damaged).unwrap();
        // Some bytes mean nothing; what is read is never a crash.
        refused += usize::from(Ledger::open(&path).is_err());
        let _ = fs::remove_file(path.with_extension("-wal"));
    }
    assert!(refused > 10, "{refused}");
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = Ledger::open(&path).unwrap_err();
    assert!(error.to_string().contains("move it away"), "{error}");
}

#[test]
fn a_disk_that_is_full_stops_nobody_and_what_was_kept_before_is_there() {
    let (_folder, path) = begin();
    let (mut database, _) = Database::open(&path).unwrap();
    database.apply(&[Entry::Change(Change::Agent(agent(1)))]).unwrap();
    database.fill();
    let many: Vec<Entry> = (0..10_000).map(|at_ms| Entry::Change(failure(at_ms))).collect();
    let error = database.apply(&many).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull), "{error}");
    let kept = database.read().unwrap();
    assert_eq!((kept.agents.len(), kept.failures.len()), (1, 0), "all of a transaction or nothing");
    database.apply(&[Entry::Change(Change::Agent(AgentRecord { done: 9, ..agent(1) }))]).unwrap();
}

fn manifest(number: u64, len: usize) -> Entry {
    let mut digest = [0; 16];
    digest[..8].copy_from_slice(&number.to_le_bytes());
    Entry::Manifest { digest: ManifestDigest::from_bytes(digest), bytes: Bytes::from(vec![number as u8; len]) }
}

#[test]
fn descriptions_are_kept_within_bounds_and_the_oldest_go() {
    let (_folder, path) = begin();
    let (ledger, _) = Ledger::open(&path).unwrap();
    (0..=database::MANIFESTS_MAX).for_each(|number| ledger.keep(manifest(number, 10)));
    // One that is kept again is the newest.
    ledger.keep(manifest(1, 10));
    ledger.keep(manifest(7_777, 10));
    drop(ledger);
    let (ledger, kept) = Ledger::open(&path).unwrap();
    assert_eq!(kept.manifests.len() as u64, database::MANIFESTS_MAX);
    assert_eq!(kept.manifests[0], [3; 10], "0 and 2 have gone");
    let large = database::MANIFESTS_BYTES_MAX as usize / 4;
    (10_000..10_004).for_each(|number| ledger.keep(manifest(number, large)));
    ledger.keep(manifest(10_005, 1));
    drop(ledger);
    let (_, kept) = Ledger::open(&path).unwrap();
    assert_eq!(kept.manifests.iter().map(Vec::len).collect::<Vec<_>>(), [large, large, large, 1]);
}
