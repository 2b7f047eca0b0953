//! Stores on a real disk. What needs a full or read-only one in earnest is in the command line's tests.

use std::fs::{self, File};
use std::path::Path;

use bytes::Bytes;
use pleach_core::content::Geometry;
use pleach_core::ids::{ContentId, ReadId, WriteId};

use super::*;

const SIZE_BYTES: u64 = 200_000;

fn config(out: &Path) -> DownloadConfig {
    DownloadConfig {
        out: out.to_owned(),
        content: ContentId::from_bytes([7; 32]),
        geometry: Geometry::new(SIZE_BYTES).unwrap(),
        overwrite: false,
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn write(store: &mut Store, offset_bytes: u64, bytes: &'static [u8]) -> Reply {
    let request = Request::Write { write: WriteId(1), offset_bytes, bytes: Bytes::from_static(bytes) };
    store.handle(request).expect("a write is answered")
}

fn read(store: &mut Store, offset_bytes: u64, len_bytes: u32) -> Bytes {
    match store.handle(Request::Read { read: ReadId(1), offset_bytes, len_bytes }) {
        Some(Reply::ReadDone { bytes, .. }) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_download_appears_when_it_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.bin");
    let (download, journal) = Download::open(&config(&out)).unwrap();
    assert!(journal.is_empty());
    let mut store = Store::Download(download);
    assert!(matches!(write(&mut store, 100, b"hello"), Reply::Written(WriteId(1))));
    assert_eq!(names(directory.path()), ["out.bin.pleach-part", "out.bin.pleach-record"]);
    assert_eq!(&read(&mut store, 99, 7)[..], b"\0hello\0");
    assert_eq!(read(&mut store, SIZE_BYTES - 2, 100).len(), 2, "fewer where the store ends");
    assert!(matches!(store.handle(Request::Finish), Some(Reply::Finished(Ok(())))));
    assert_eq!(names(directory.path()), ["out.bin"]);
    assert_eq!(fs::metadata(&out).unwrap().len(), SIZE_BYTES);
    assert_eq!(&read(&mut store, 100, 5)[..], b"hello", "it can still be passed on");
}

#[test]
fn a_download_goes_on_from_its_record() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.bin");
    let (download, _) = Download::open(&config(&out)).unwrap();
    let mut store = Store::Download(download);
    write(&mut store, 5, b"kept");
    assert!(store.handle(Request::AppendRecord(Bytes::from_static(b"one "))).is_none());
    store.handle(Request::AppendRecord(Bytes::from_static(b"two ")));
    drop(store);

    let (download, journal) = Download::open(&config(&out)).unwrap();
    assert_eq!(journal, b"one two ");
    let mut store = Store::Download(download);
    assert_eq!(&read(&mut store, 5, 4)[..], b"kept");
    store.handle(Request::AppendRecord(Bytes::from_static(b"three")));
    drop(store);
    assert_eq!(Download::open(&config(&out)).unwrap().1, b"one two three");
}

#[test]
fn two_do_not_work_on_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.bin");
    let (first, _) = Download::open(&config(&out)).unwrap();
    let error = Download::open(&config(&out)).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert_eq!(names(directory.path()).len(), 2, "the first keeps its files");
    drop(first);
    Download::open(&config(&out)).unwrap();
}

#[test]
fn another_contents_partial_file_is_refused_or_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.bin");
    let (download, _) = Download::open(&config(&out)).unwrap();
    let mut store = Store::Download(download);
    write(&mut store, 0, b"mine");
    drop(store);

    let other = DownloadConfig { content: ContentId::from_bytes([8; 32]), ..config(&out) };
    let error = Download::open(&other).unwrap_err();
    assert!(matches!(error, StoreError::OtherContent { .. }), "{error}");
    let (download, journal) = Download::open(&DownloadConfig { overwrite: true, ..other }).unwrap();
    assert!(journal.is_empty());
    assert_eq!(&read(&mut Store::Download(download), 0, 4)[..], [0; 4], "nothing of the other is left");
}

#[test]
fn what_is_there_is_kept_unless_asked_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.bin");
    fs::write(&out, "mine").unwrap();
    assert!(matches!(Download::open(&config(&out)).unwrap_err(), StoreError::Exists { .. }));
    assert!(matches!(Download::open(&config(directory.path())).unwrap_err(), StoreError::Directory { .. }));
    assert_eq!(names(directory.path()), ["out.bin"]);

    // One that appears while the download is under way is kept too.
    let late = directory.path().join("late.bin");
    let mut store = Store::Download(Download::open(&config(&late)).unwrap().0);
    fs::write(&late, "mine").unwrap();
    let finished = store.handle(Request::Finish);
    assert!(matches!(finished, Some(Reply::Finished(Err(StoreError::Exists { .. })))), "{finished:?}");
    assert_eq!(fs::read(&late).unwrap(), b"mine");
}

#[test]
fn a_download_of_which_nothing_came_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (download, _) = Download::open(&config(&directory.path().join("out.bin"))).unwrap();
    download.close();
    assert!(names(directory.path()).is_empty());
}

#[test]
fn a_damaged_record_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.bin");
    for damage in [&b""[..], b"pleach record 1\nshort", &[0xff; 4000], &[0; 48]] {
        fs::write(directory.path().join("out.bin.pleach-record"), damage).unwrap();
        let (download, journal) = Download::open(&config(&out)).unwrap();
        assert!(journal.is_empty());
        drop(download);
    }
}

#[test]
fn too_large_a_file_is_refused_before_anything_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.bin");
    let geometry = Geometry::new(pleach_core::content::CONTENT_BYTES_MAX).unwrap();
    let error = Download::open(&DownloadConfig { geometry, ..config(&out) }).unwrap_err();
    assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
    assert!(names(directory.path()).is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_with_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let (mut download, _) = Download::open(&config(&directory.path().join("out.bin"))).unwrap();
    download.part = File::options().write(true).open("/dev/full").unwrap();
    let reply = write(&mut Store::Download(download), 0, b"too much");
    let Reply::WriteFailed { reason, .. } = reply else { panic!("{reply:?}") };
    assert!(reason.ends_with("out.bin.pleach-part: no space left on the disk"), "{reason}");
}

#[test]
fn a_source_is_never_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("source");
    fs::write(&file, "abc").unwrap();
    let mut store = Store::Source(SourceFile::open(&file).unwrap());
    assert!(matches!(write(&mut store, 0, b"x"), Reply::WriteFailed { .. }));
    assert_eq!(&read(&mut store, 1, 100)[..], b"bc");
}

#[test]
fn a_source_that_changes_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("source");
    fs::write(&file, "abc").unwrap();
    let source = SourceFile::open(&file).unwrap();
    let mut watch = source.watch().unwrap();
    let mut bytes = Vec::new();
    source.read_all(|piece| bytes.extend_from_slice(piece)).unwrap();
    assert_eq!((bytes.as_slice(), watch.change()), (&b"abc"[..], None));

    File::options().write(true).open(&file).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(watch.change(), Some(Change::Touched));
    assert!(matches!(source.read_all(|_| ()), Err(StoreError::Changed { .. })));
    watch.read_again(|_| ()).unwrap();
    assert_eq!(watch.change(), None);

    fs::write(&file, "abcd").unwrap();
    assert_eq!(watch.change(), Some(Change::Size));
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(SourceFile::open(directory.path()), Err(StoreError::Directory { .. })));
    let missing = SourceFile::open(&directory.path().join("missing")).unwrap_err();
    assert!(missing.to_string().ends_with("missing: no such file or directory"), "{missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scratch_is_read_in_order_while_it_grows() {
    let (scratch, reader) = Scratch::create(9).unwrap();
    let mut store = Store::Scratch(scratch);
    let copying = tokio::task::spawn_blocking(move || {
        let mut sink = Vec::new();
        reader.copy_to(9, &mut sink).map(|copied_bytes| (copied_bytes, sink))
    });
    write(&mut store, 6, b"ghi");
    write(&mut store, 0, b"abc");
    write(&mut store, 3, b"def");
    assert_eq!(copying.await.unwrap().unwrap(), (9, b"abcdefghi".to_vec()));

    let (scratch, reader) = Scratch::create(9).unwrap();
    let mut store = Store::Scratch(scratch);
    write(&mut store, 0, b"abc");
    drop(store);
    let copied = tokio::task::spawn_blocking(move || reader.copy_to(9, &mut Vec::new())).await.unwrap();
    assert_eq!(copied.unwrap(), 3, "a store that is closed early ends the copy");
}
