//! Stores on a real disk. What needs a full or read-only one in earnest is in the command line's tests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pleach_core::content::{
    CONTENT_BYTES_MAX, FileEntry, HashTree, Listing, Manifest, ManifestBuilder, PACKED_PATH, TreeBuilder,
};
use pleach_core::ids::{ContentId, ReadId, WriteId};
use pleach_packing::{Key, Packer};

use super::*;

const SIZE_BYTES: u64 = 200_000;

fn config(out: &Path) -> DownloadConfig {
    DownloadConfig { out: out.to_owned(), manifest: manifest(7, SIZE_BYTES), unpack: None, overwrite: false }
}

fn manifest(id: u8, size_bytes: u64) -> Manifest {
    Manifest::of_file("out.bin", None, ContentId::from_bytes([id; 32]), size_bytes).unwrap()
}

/// A folder of these files, which are 10 bytes each but for the empty one.
fn folder_config(out: &Path, paths: &[&str]) -> DownloadConfig {
    let builder = ManifestBuilder::new(ContentId::from_bytes([7; 32])).name("folder");
    let size_bytes = |path: &str| if path.ends_with("empty") { 0 } else { 10 };
    let builder = paths.iter().fold(builder, |builder, path| builder.file(path, size_bytes(path), None));
    DownloadConfig { out: out.to_owned(), manifest: builder.build().unwrap(), unpack: None, overwrite: false }
}

/// A source of these files, and its tree.
fn source(paths: &[&PathBuf]) -> (SourceFiles, HashTree) {
    let source = SourceFiles::open(paths.iter().copied().cloned()).unwrap();
    let mut builder = TreeBuilder::new();
    source.read_all(|piece| builder.push(piece)).unwrap();
    (source, builder.finish().unwrap().1)
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

    let other = DownloadConfig { manifest: manifest(8, SIZE_BYTES), ..config(&out) };
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
    for damage in [&b""[..], b"pleach record 2\nshort", &[0xff; 4000], &[0; 80]] {
        fs::write(directory.path().join("out.bin.pleach-record"), damage).unwrap();
        let (download, journal) = Download::open(&config(&out)).unwrap();
        assert!(journal.is_empty());
        drop(download);
    }
}

#[test]
fn a_record_without_a_download_is_tidied_away() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(&directory.path().join("out.bin"));
    let (download, _) = Download::open(&config).unwrap();
    assert!(matches!(Download::tidy(&config), Ok(())), "somebody works with it");
    assert_eq!(names(directory.path()).len(), 2);
    fs::rename(download.part_path(), download.out()).unwrap();
    assert!(matches!(Download::tidy(&config), Err(StoreError::InUse { .. })));
    drop(download);
    Download::tidy(&config).unwrap();
    assert_eq!(names(directory.path()), ["out.bin"]);
}

#[test]
fn too_large_a_file_is_refused_before_anything_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.bin");
    let huge = manifest(7, CONTENT_BYTES_MAX);
    let error = Download::open(&DownloadConfig { manifest: huge, ..config(&out) }).unwrap_err();
    assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
    assert!(names(directory.path()).is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_with_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let (mut download, _) = Download::open(&config(&directory.path().join("out.bin"))).unwrap();
    download.files.replace(0, File::options().write(true).open("/dev/full").unwrap());
    let reply = write(&mut Store::Download(download), 0, b"too much");
    let Reply::WriteFailed { reason, .. } = reply else { panic!("{reply:?}") };
    assert!(reason.ends_with("out.bin.pleach-part: no space left on the disk"), "{reason}");
}

#[test]
fn a_source_is_never_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("source");
    fs::write(&file, "abc").unwrap();
    let mut store = Store::Source(source(&[&file]).0);
    assert!(matches!(write(&mut store, 0, b"x"), Reply::WriteFailed { .. }));
    assert_eq!(&read(&mut store, 1, 100)[..], b"bc");
}

#[test]
fn files_are_hashed_by_all_processors_as_by_one() {
    const MIB: usize = 1 << 20;
    let directory = tempfile::tempdir().unwrap();
    for sizes in [vec![0], vec![1], vec![4 * MIB], vec![9 * MIB + 1], vec![MIB - 1, 0, 7 * MIB + 7, 65_536, 5]] {
        let whole: Vec<u8> = (0..sizes.iter().sum()).map(|at: usize| (at % 251) as u8).collect();
        let mut start = 0;
        let place = |(at, size): (usize, &usize)| {
            let path = directory.path().join(at.to_string());
            fs::write(&path, &whole[start..start + size]).unwrap();
            start += size;
            path
        };
        let source = SourceFiles::open(sizes.iter().enumerate().map(place).collect::<Vec<_>>()).unwrap();
        let done = std::sync::atomic::AtomicU64::new(0);
        let builder = source
            .hash_all(|bytes| {
                done.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
            })
            .unwrap();
        assert_eq!(builder.finish().unwrap().1.root().as_bytes(), blake3::hash(&whole).as_bytes(), "{sizes:?}");
        assert_eq!(done.into_inner(), whole.len() as u64, "all is told");
    }
}

#[test]
fn a_file_that_changes_while_it_is_hashed_by_all_processors_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let [first, second] = ["1", "2"].map(|name| directory.path().join(name));
    fs::write(&first, vec![1; 9 << 20]).unwrap();
    fs::write(&second, vec![2; 2 << 20]).unwrap();
    let source = SourceFiles::open([first.clone(), second.clone()]).unwrap();
    let refused = |whose: &Path| match source.hash_all(|_| ()) {
        Err(StoreError::Changed { path }) => assert_eq!(path, whose),
        other => panic!("{other:?}"),
    };
    File::options().write(true).open(&first).unwrap().set_len(100).unwrap();
    refused(&first);
    fs::write(&first, vec![1; (9 << 20) + 1]).unwrap();
    refused(&first);
    fs::remove_file(&second).unwrap();
    assert!(source.hash_all(|_| ()).is_err());
}

#[test]
fn a_source_that_changes_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let [first, second, third] = ["1", "2", "3"].map(|name| directory.path().join(name));
    for (path, bytes) in [(&first, "abc"), (&second, ""), (&third, "defgh")] {
        fs::write(path, bytes).unwrap();
    }
    let (source, tree) = source(&[&first, &second, &third]);
    assert_eq!(tree.root().as_bytes(), blake3::hash(b"abcdefgh").as_bytes());
    let mut watch = source.watch(tree);
    assert_eq!(watch.look(), None);

    let touch = |path: &Path| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    };
    touch(&third);
    assert_eq!(watch.look(), Some((2, Change::Touched)));
    assert!(matches!(source.read_all(|_| ()), Err(StoreError::Changed { path }) if path == third));
    assert!(watch.read_again(2).unwrap(), "the bytes are the same");
    assert_eq!(watch.look_at_all(), None);

    fs::write(&third, "DEFGH").unwrap();
    assert_eq!(watch.look(), Some((2, Change::Touched)));
    assert!(!watch.read_again(2).unwrap());
    assert_eq!(watch.files_at(0), [0, 2]);

    fs::write(&first, "ab").unwrap();
    assert_eq!(watch.look(), Some((0, Change::Size)));
    fs::remove_file(&first).unwrap();
    assert_eq!(watch.look(), Some((0, Change::Gone)));
    let mut store = Store::Source(source);
    let Some(Reply::ReadFailed { reason, .. }) =
        store.handle(Request::Read { read: ReadId(1), offset_bytes: 0, len_bytes: 8 })
    else {
        panic!("it is gone")
    };
    assert!(reason.ends_with("1: no such file or directory"), "{reason}");
}

#[test]
fn all_files_of_a_large_folder_are_looked_at_in_turn() {
    let directory = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..150).map(|n| directory.path().join(n.to_string())).collect();
    paths.iter().for_each(|path| fs::write(path, path.file_name().unwrap().as_encoded_bytes()).unwrap());
    let (files, tree) = source(&paths.iter().collect::<Vec<_>>());
    let mut watch = files.watch(tree);
    fs::write(&paths[140], "longer").unwrap();
    let looks: Vec<_> = (0..6).map(|_| watch.look()).collect();
    assert_eq!(looks.iter().flatten().count(), 2, "{looks:?}");

    // Of as many as there are few are open, and all are read.
    let mut store = Store::Source(files);
    let bytes = read(&mut store, 0, 1000);
    assert_eq!(bytes.len(), 10 + 90 * 2 + 50 * 3);
    assert!(bytes.starts_with(b"0123456789101112") && bytes.ends_with(b"148149"));
    let Store::Source(source) = store else { unreachable!() };
    assert_eq!(source.files.open_files(), super::files::OPEN_FILES_MAX);
}

#[test]
fn a_file_that_shrinks_does_not_shift_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let [first, second] = ["1", "2"].map(|name| directory.path().join(name));
    fs::write(&first, "abc").unwrap();
    fs::write(&second, "def").unwrap();
    let mut store = Store::Source(source(&[&first, &second]).0);
    fs::write(&first, "a").unwrap();
    assert_eq!(&read(&mut store, 0, 6)[..], b"a");
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| SourceFiles::open([path.to_owned()]);
    assert!(matches!(open(directory.path()), Err(StoreError::Directory { .. })));
    let missing = open(&directory.path().join("missing")).unwrap_err();
    assert!(missing.to_string().ends_with("missing: no such file or directory"), "{missing}");
}

#[test]
fn a_folder_appears_whole() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("folder");
    let config = folder_config(&out, &["a", "b/c", "b/d/empty", "b/e", "z/empty"]);
    let mut store = Store::Download(Download::open(&config).unwrap().0);
    assert!(matches!(write(&mut store, 5, b"aaaaaccccccccccee"), Reply::Written(_)));
    assert_eq!(names(directory.path()), ["folder.pleach-part", "folder.pleach-record"]);
    assert_eq!(&read(&mut store, 0, 12)[..], b"\0\0\0\0\0aaaaacc");
    store.handle(Request::AppendRecord(Bytes::from_static(b"journal")));
    drop(store);

    let (download, journal) = Download::open(&config).unwrap();
    assert_eq!(journal, b"journal");
    let mut store = Store::Download(download);
    assert_eq!(&read(&mut store, 18, 100)[..], b"ccee\0\0\0\0\0\0\0\0", "fewer where the content ends");
    assert!(matches!(store.handle(Request::Finish), Some(Reply::Finished(Ok(())))));
    assert_eq!(names(directory.path()), ["folder"]);
    assert_eq!(fs::read(out.join("a")).unwrap(), b"\0\0\0\0\0aaaaa");
    assert_eq!(fs::read(out.join("b/c")).unwrap(), b"cccccccccc");
    assert_eq!(fs::read(out.join("b/e")).unwrap(), b"ee\0\0\0\0\0\0\0\0");
    assert_eq!(fs::read(out.join("b/d/empty")).unwrap(), b"");
    assert_eq!(fs::read(out.join("z/empty")).unwrap(), b"");
    assert_eq!(&read(&mut store, 8, 4)[..], b"aacc", "it can still be passed on");
}

#[test]
fn a_folder_that_is_there_is_kept_or_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("folder");
    let config = folder_config(&out, &["a", "b"]);
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine"), "mine").unwrap();
    assert!(matches!(Download::open(&config).unwrap_err(), StoreError::Exists { .. }));

    let config = DownloadConfig { overwrite: true, ..config };
    let mut store = Store::Download(Download::open(&config).unwrap().0);
    assert!(matches!(store.handle(Request::Finish), Some(Reply::Finished(Ok(())))));
    assert_eq!(names(directory.path()), ["folder", "folder.pleach-old"]);
    assert_eq!(
        (names(&out), fs::read(directory.path().join("folder.pleach-old/mine")).unwrap()),
        (vec!["a".to_owned(), "b".to_owned()], b"mine".to_vec())
    );
    let error = Download::open(&config).unwrap_err();
    assert!(error.to_string().ends_with("folder.pleach-old exists already"), "not a second time: {error}");
}

#[test]
fn a_partial_folder_of_other_files_is_refused_or_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("folder");
    let mut store = Store::Download(Download::open(&folder_config(&out, &["a", "b"])).unwrap().0);
    store.handle(Request::AppendRecord(Bytes::from_static(b"journal")));
    drop(store);
    let other = folder_config(&out, &["a", "c"]);
    let error = Download::open(&other).unwrap_err();
    assert!(matches!(error, StoreError::OtherFiles { .. }), "{error}");
    let (download, journal) = Download::open(&DownloadConfig { overwrite: true, ..other }).unwrap();
    assert!(journal.is_empty());
    assert_eq!(names(download.part_path()), ["a", "c"], "nothing of the other is left");
}

#[test]
fn a_folder_of_which_nothing_came_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (download, _) = Download::open(&folder_config(&directory.path().join("folder"), &["a", "b/c"])).unwrap();
    download.close();
    assert!(names(directory.path()).is_empty());
}

/// Whatever lies in the way, what it leads to stays as it is.
#[cfg(unix)]
#[test]
fn no_link_is_followed() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().unwrap();
    let outside = directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("victim"), "untouched").unwrap();
    let inside = directory.path().join("inside");
    fs::create_dir(&inside).unwrap();
    let out = inside.join("folder");
    let config = folder_config(&out, &["a", "b/c"]);
    let part = inside.join("folder.pleach-part");
    let record = inside.join("folder.pleach-record");
    let is_refused = |error: StoreError| error.to_string().contains("symbolic link");

    // The partial folder or file, before anything came: it is removed, not what it leads to.
    symlink(&outside, &part).unwrap();
    let (download, _) = Download::open(&config).unwrap();
    let mut store = Store::Download(download);
    assert!(matches!(write(&mut store, 0, b"a"), Reply::Written(_)));
    assert_eq!(names(&outside), ["victim"]);
    store.handle(Request::AppendRecord(Bytes::from_static(b"journal")));
    drop(store);

    // A file, a folder on the way, and the partial folder itself, when an earlier run is gone on with.
    for (link, to) in [("a", outside.join("victim")), ("b", outside.clone())] {
        super::part::remove(&part.join(link)).unwrap();
        symlink(&to, part.join(link)).unwrap();
        assert!(is_refused(Download::open(&config).unwrap_err()), "{link}");
        super::part::remove(&part.join(link)).unwrap();
        Download::open(&config).unwrap();
    }
    super::part::remove(&part).unwrap();
    symlink(&outside, &part).unwrap();
    assert!(is_refused(Download::open(&config).unwrap_err()));
    fs::remove_file(&part).unwrap();

    // The record.
    fs::remove_file(&record).unwrap();
    symlink(outside.join("victim"), &record).unwrap();
    assert!(is_refused(Download::open(&config).unwrap_err()));
    fs::remove_file(&record).unwrap();

    // The final name: a link is something that is there.
    symlink(&outside, &out).unwrap();
    assert!(matches!(Download::open(&config).unwrap_err(), StoreError::Exists { .. }));
    let mut store = Store::Download(Download::open(&DownloadConfig { overwrite: true, ..config }).unwrap().0);
    assert!(matches!(store.handle(Request::Finish), Some(Reply::Finished(Ok(())))));
    assert_eq!((names(&outside), names(&out)), (vec!["victim".to_owned()], vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(fs::read(outside.join("victim")).unwrap(), b"untouched");
}

/// A link that appears while the download is under way is not followed either: folders are held, not looked up.
#[cfg(unix)]
#[test]
fn no_link_that_comes_later_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let outside = directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("c"), "untouched!").unwrap();
    let (download, _) = Download::open(&folder_config(&directory.path().join("folder"), &["a", "b/c"])).unwrap();
    let below = download.part_path().join("b");
    fs::remove_dir_all(&below).unwrap();
    std::os::unix::fs::symlink(&outside, &below).unwrap();
    let reply = write(&mut Store::Download(download), 10, b"lost");
    assert!(matches!(&reply, Reply::WriteFailed { reason, .. } if reason.contains("symbolic link")), "{reply:?}");
    assert_eq!(fs::read(outside.join("c")).unwrap(), b"untouched!");
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

/// Packed content of a folder of two files, the packed bytes, and where it goes.
fn packed(directory: &Path, size_bytes: u64) -> (DownloadConfig, Vec<u8>) {
    let entry = |path: &str, size_bytes| FileEntry { path: path.to_owned(), size_bytes, media_type: None };
    let files = vec![entry("a/one", size_bytes - 10), entry("two", 10)];
    let listing = Listing::new(Some("folder".into()), files, size_bytes).unwrap();
    let key = Key::from_bytes([1; 32]);
    let mut packer = Packer::new(size_bytes, Some(key.clone()), true, 1);
    let mut packed = Vec::new();
    packer.push(&plain(size_bytes), |bytes| packed.extend(bytes));
    let packing = packer.finish(listing, |bytes| packed.extend(bytes)).unwrap();
    let id = ContentId::from_bytes(*blake3::hash(&packed).as_bytes());
    let builder = ManifestBuilder::new(id).file(PACKED_PATH, packed.len() as u64, None);
    let manifest = builder.packed(&packing.describe(id, Some(&key), None).unwrap()).build().unwrap();
    let config = DownloadConfig {
        out: directory.join("folder"),
        manifest,
        unpack: Some(Unpack::new(packing)),
        overwrite: false,
    };
    (config, packed)
}

fn plain(size_bytes: u64) -> Vec<u8> {
    (0..size_bytes).map(|at| (at * at % 251) as u8).collect()
}

/// A thread that has written all and was asked to finish.
fn finishing(config: &DownloadConfig, packed: Vec<u8>) -> StoreThread {
    let thread = Store::Download(Download::open(config).unwrap().0).spawn().unwrap();
    let write = Request::Write { write: WriteId(1), offset_bytes: 0, bytes: packed.into() };
    thread.requests.blocking_send(write).unwrap();
    thread.requests.blocking_send(Request::Finish).unwrap();
    thread
}

#[test]
fn packed_content_is_unpacked_and_goes_on_being_read() {
    let directory = tempfile::tempdir().unwrap();
    let (config, packed) = packed(directory.path(), 600_000);
    let mut thread = finishing(&config, packed.clone());
    assert!(matches!(thread.replies.blocking_recv(), Some(Reply::Written(_))));
    assert!(matches!(thread.replies.blocking_recv(), Some(Reply::Finished(Ok(())))));
    let both = [fs::read(config.out.join("a/one")).unwrap(), fs::read(config.out.join("two")).unwrap()].concat();
    assert!(both == plain(600_000));
    assert_eq!(config.unpack.as_ref().unwrap().done_bytes(), 600_000);
    let read = Request::Read { read: ReadId(1), offset_bytes: 5, len_bytes: 100 };
    thread.requests.blocking_send(read).unwrap();
    match thread.replies.blocking_recv() {
        Some(Reply::ReadDone { bytes, .. }) => assert_eq!(bytes, packed[5..105]),
        other => panic!("{other:?}"),
    }
    drop(thread.requests);
    assert!(thread.replies.blocking_recv().is_none());
    assert_eq!(names(directory.path()), ["folder"]);
}

#[test]
fn what_was_packed_wrongly_leaves_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let (config, mut packed) = packed(directory.path(), 600_000);
    packed[100] ^= 1;
    let mut thread = finishing(&config, packed);
    assert!(matches!(thread.replies.blocking_recv(), Some(Reply::Written(_))));
    match thread.replies.blocking_recv() {
        Some(Reply::Finished(Err(error @ StoreError::Unpack { .. }))) => {
            assert!(error.to_string().contains("segment 0 can't be unpacked"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(names(directory.path()), ["folder.pleach-part", "folder.pleach-record"]);
}

/// Whatever the moment at which it is stopped, there is all of it or nothing, and the next run goes on.
#[test]
fn an_unpacking_that_is_stopped_leaves_all_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (config, packed) = packed(directory.path(), 8_000_000);
    let mut thread = finishing(&config, packed);
    drop(thread.requests);
    while thread.replies.blocking_recv().is_some() {}
    let left = names(directory.path());
    assert!(left == ["folder"] || left == ["folder.pleach-part", "folder.pleach-record"], "{left:?}");
}
