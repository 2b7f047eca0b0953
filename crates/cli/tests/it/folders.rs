//! Folders and several files, from one process to another.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::common::{
    Running, Server, beside, eventually, expect_exit, path, pleach, read_files, sample, text, wait_for_part,
    write_files,
};

/// What a folder may be made of: empty files, deep ones, packets that span files, names in many scripts.
const FILES: [(&str, usize); 9] = [
    ("README", 10),
    ("a/empty", 0),
    ("a/1.bin", 70_000),
    ("a/deep/er/still/2.bin", 1),
    ("b.mp4", 300_000),
    ("z/空/дерево.txt", 65_536),
    ("z/🌳 & 'quotes' (1)", 3),
    ("z/last", 100_001),
    ("zz", 0),
];

fn folder_of(name: &str, files: &[(&str, usize)]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join(name);
    write_files(&folder, files);
    (directory, folder)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_arrives_as_it_is() {
    let (_source, folder) = folder_of("Talks", &FILES);
    let target = tempfile::tempdir().unwrap();
    let share = Server::share(&folder, &[]);
    let said = text(&expect_exit(0, &["get", &share.line, "-o", path(target.path())]).stderr);
    assert!(said.contains("Talks: "), "{said}");
    assert_eq!(names(target.path()), ["Talks"]);
    assert!(read_files(&target.path().join("Talks")) == read_files(&folder));

    let named = target.path().join("elsewhere");
    expect_exit(0, &["get", &share.line, "-o", path(&named)]);
    assert!(read_files(&named) == read_files(&folder));
    let said = text(&expect_exit(0, &["get", &share.line, "-o", path(&named)]).stderr);
    assert!(said.contains("elsewhere is there already"), "the same command does the same: {said}");
    assert_eq!(names(target.path()), ["Talks", "elsewhere"]);

    let said = text(&expect_exit(0, &["inspect", &share.line]).stderr);
    assert_eq!(said, "");
    let told = text(&expect_exit(0, &["inspect", &share.line]).stdout);
    assert!(told.contains("files      9, saved in Talks\n"), "{told}");
    assert!(told.contains("\n   68.36 KiB  a/1.bin\n") && told.contains("  a/deep/er/still/2.bin\n"), "{told}");
    let told = text(&expect_exit(0, &["inspect", &share.line, "--json"]).stdout);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["saved_as"], &told["is_folder"]), (&"Talks".into(), &true.into()));
    assert_eq!(told["files"][4]["media_type"], "video/mp4", "{told}");
}

#[test]
fn the_order_in_which_files_are_named_does_not_matter() {
    let (directory, _) = folder_of("folder", &[("1", 10), ("2", 20), ("../one file", 70_000), ("../another", 5)]);
    let [folder, one, another] = ["folder", "one file", "another"].map(|name| directory.path().join(name));
    let publish = |places: [&PathBuf; 3], out: &str| {
        let out = directory.path().join(out);
        let mut args = vec!["publish", "--name", "All", "-o", path(&out)];
        args.extend(places.map(|place| path(place)));
        expect_exit(0, &args);
        fs::read(out).unwrap()
    };
    assert_eq!(publish([&folder, &one, &another], "1.pleach"), publish([&another, &folder, &one], "2.pleach"));

    let args = ["share", "--listen", "127.0.0.1:0", "--no-qr", path(&one), path(&folder), path(&another)];
    let share = Server::start(&args);
    let target = tempfile::tempdir().unwrap();
    expect_exit(0, &["get", &share.line, "-o", path(target.path())]);
    assert_eq!(names(target.path()), ["one file and 2 more"]);
    let out = target.path().join("one file and 2 more");
    assert_eq!(read_files(&out).into_keys().collect::<Vec<_>>(), ["another", "folder/1", "folder/2", "one file"]);
    assert_eq!(fs::read(out.join("one file")).unwrap(), sample(70_000));
}

#[test]
fn a_folder_of_one_file_stays_a_folder() {
    for (inner, len) in [("talk.mp4", 1000), ("deep/talk.mp4", 0)] {
        let (_source, folder) = folder_of("Talks", &[(inner, len)]);
        let target = tempfile::tempdir().unwrap();
        let share = Server::share(&folder, &[]);
        expect_exit(0, &["get", &share.line, "-o", path(target.path())]);
        assert_eq!(read_files(target.path()).into_keys().collect::<Vec<_>>(), [format!("Talks/{inner}")]);
        let said = text(&expect_exit(2, &["get", &share.line, "--stdout"]).stderr);
        assert!(said.contains("Talks is a folder") && said.contains("-o DIR"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_left_out_is_told() {
    let (_source, folder) = folder_of("folder", &[("1", 10), ("2", 0), (".git/HEAD", 5), ("a/.env", 1)]);
    fs::create_dir(folder.join("nothing")).unwrap();
    std::os::unix::fs::symlink("/etc", folder.join("link")).unwrap();
    let out = folder.join("../out.pleach");
    let said = text(&expect_exit(0, &["publish", path(&folder), "-o", path(&out)]).stderr);
    let expected = "left out: 2 hidden (--hidden takes them), 1 symbolic link, 1 empty folder";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("folder, 2 files, 10 B"), "{said}");
    let told = text(&expect_exit(0, &["publish", path(&folder), "-o", "-", "--hidden"]).stdout);
    assert!(told.contains("\".git/HEAD\"") && told.contains("\"a/.env\""), "{told}");
}

#[test]
fn a_folder_that_is_there_is_not_lost() {
    let (_source, folder) = folder_of("Talks", &FILES);
    let share = Server::share(&folder, &[]);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("Talks");
    write_files(&out, &[("mine", 5), ("b.mp4", 300_000)]);
    let said = text(&expect_exit(4, &["get", &share.line, "-o", path(target.path())]).stderr);
    assert!(said.contains("Talks exists already") && said.contains("--force"), "{said}");
    assert_eq!(names(target.path()), ["Talks"]);
    expect_exit(0, &["get", &share.line, "-o", path(target.path()), "--force"]);
    assert!(read_files(&out) == read_files(&folder));
    assert_eq!(names(&target.path().join("Talks.pleach-old")), ["b.mp4", "mine"]);

    fs::write(out.join("mine too"), "x").unwrap();
    let said = text(&expect_exit(0, &["get", &share.line, "-o", path(target.path())]).stderr);
    assert!(said.contains("is there already, whole and verified"), "{said}");
    fs::write(out.join("README"), "0123456789").unwrap();
    expect_exit(4, &["get", &share.line, "-o", path(target.path())]);
}

#[test]
fn a_killed_download_of_a_folder_goes_on_where_it_was() {
    let files: Vec<(String, usize)> = (0..120).map(|n| (format!("{}/{n}", n % 7), 90_000 + n)).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(path, len)| (path.as_str(), *len)).collect();
    let (_source, folder) = folder_of("many", &files);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("many");
    let share = Server::share(&folder, &["--upload-limit", "4MB"]);
    let get = Running::spawn(pleach(&["get", &share.line, "-o", path(&out)]));
    wait_for_part(&out, 3 << 20);
    drop(get);
    assert_eq!(names(target.path()), ["many.pleach-part", "many.pleach-record"]);

    // Files of it that are lost, cut or damaged meanwhile are mended.
    let part = beside(&out, ".pleach-part");
    fs::remove_file(part.join("0/0")).unwrap();
    fs::remove_dir_all(part.join("1")).unwrap();
    fs::write(part.join("2/9"), "short").unwrap();
    fs::write(part.join("3/10"), vec![7; 90_010]).unwrap();
    let said = text(&expect_exit(0, &["get", &share.line, "-o", path(&out)]).stderr);
    assert!(said.contains("going on"), "{said}");
    assert!(read_files(&out) == read_files(&folder));
    assert_eq!(names(target.path()), ["many"]);
}

#[test]
fn a_file_of_a_folder_that_changes_is_named() {
    let change = |what: fn(&Path)| {
        let (_source, folder) = folder_of("Talks", &FILES);
        let share = Server::share(&folder, &[]);
        what(&folder.join("b.mp4"));
        let (status, said) = share.end();
        assert_eq!(status.code(), Some(5), "{said}");
        assert!(said.contains("Talks/b.mp4"), "{said}");
        said
    };
    let said = change(|file| OpenOptions::new().write(true).open(file).unwrap().write_all(b"other").unwrap());
    assert!(said.contains("changed while it was being shared"), "{said}");
    let said = change(|file| OpenOptions::new().write(true).open(file).unwrap().set_len(299_999).unwrap());
    assert!(said.contains("changed while it was being shared"), "{said}");
    let said = change(|file| fs::remove_file(file).unwrap());
    assert!(said.contains("is not there any more"), "{said}");
}

#[test]
fn a_file_of_a_folder_that_is_only_touched_goes_on_being_shared() {
    let (_source, folder) = folder_of("Talks", &FILES);
    let mut share = Server::share(&folder, &[]);
    let touched = fs::File::options().write(true).open(folder.join("b.mp4")).unwrap();
    touched.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let target = tempfile::tempdir().unwrap();
    expect_exit(0, &["get", &share.line, "-o", path(target.path())]);
    assert!(share.process.is_running());
}

#[test]
fn a_seeding_downloader_gives_a_folder_on() {
    let (_source, folder) = folder_of("Talks", &FILES);
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let seed = Server::start(&["seed", path(&folder), "--tracker", &tracker.line]);
    let target = tempfile::tempdir().unwrap();
    let (first, second) = (target.path().join("first"), target.path().join("second"));
    let _staying = Running::spawn(pleach(&["get", &seed.line, "-o", path(&first), "--seed"]));
    eventually("the first has it", || first.exists().then_some(()));
    let link = seed.line.clone();
    drop(seed);
    expect_exit(0, &["get", &link, "-o", path(&second)]);
    assert!(read_files(&second) == read_files(&folder));
}
