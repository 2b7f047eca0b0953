//! From one process to another, through everything that is between them.

use std::fs;

use super::common::{
    Running, Server, beside, eventually, expect_exit, file_of, finish, path, pleach, sample, text, wait_for_part,
};

#[test]
fn sizes_and_names_arrive_as_they_are() {
    let files = [
        ("empty.bin", 0),
        ("one byte", 1),
        ("дерево.txt", 16 * 1024 - 1),
        ("木 と 林.bin", 64 * 1024),
        ("شجرة.dat", 64 * 1024 + 1),
        ("🌳 & 'quotes' (1).mp4", 1_000_003),
    ];
    for (name, len) in files {
        let (_source, file) = file_of(name, len);
        let target = tempfile::tempdir().unwrap();
        let share = Server::share(&file, &[]);
        expect_exit(0, &["get", &share.line, "-o", path(target.path())]);
        assert_eq!(fs::read(target.path().join(name)).unwrap(), sample(len), "{name}");
        let left: Vec<_> = fs::read_dir(target.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 1, "{name}: only the file is left, not {left:?}");
    }
}

#[test]
fn a_name_may_be_as_long_as_the_system_allows() {
    let name = "n".repeat(250);
    let (_source, file) = file_of(&name, 100_000);
    let target = tempfile::tempdir().unwrap();
    let share = Server::share(&file, &[]);
    expect_exit(0, &["get", &share.line, "-o", path(target.path())]);
    assert_eq!(fs::read(target.path().join(name)).unwrap(), sample(100_000));
}

#[test]
fn stdout_gets_the_content_and_nothing_else() {
    let (_source, file) = file_of("stream.bin", 3_000_001);
    let share = Server::share(&file, &[]);
    let output = expect_exit(0, &["get", &share.line, "--stdout", "-q"]);
    assert_eq!(output.stdout, sample(3_000_001));
    assert_eq!(text(&output.stderr), "");
    let output = expect_exit(0, &["get", &share.line, "-o", "-"]);
    assert_eq!(output.stdout, sample(3_000_001));
}

#[test]
fn a_killed_download_goes_on_where_it_was() {
    const LEN: usize = 24 << 20;
    let (_source, file) = file_of("large.bin", LEN);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("large.bin");
    let share = Server::share(&file, &["--upload-limit", "6MB"]);
    let mut get = Running::spawn(pleach(&["get", &share.line, "-o", path(&out)]));
    wait_for_part(&out, 4 << 20);
    assert!(get.is_running());
    drop(get);
    assert!(!out.exists(), "the final name appears only when everything is there");

    let output = expect_exit(0, &["get", &share.line, "-o", path(&out)]);
    let said = text(&output.stderr);
    assert!(said.contains("going on"), "{said}");
    assert!(fs::read(&out).unwrap() == sample(LEN), "the bytes are the same");
    assert!(!beside(&out, ".pleach-part").exists() && !beside(&out, ".pleach-record").exists());
}

#[test]
fn damage_to_a_partial_file_is_found_and_mended() {
    const LEN: usize = 16 << 20;
    let (_source, file) = file_of("large.bin", LEN);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("large.bin");
    let share = Server::share(&file, &["--upload-limit", "6MB"]);
    let get = Running::spawn(pleach(&["get", &share.line, "-o", path(&out)]));
    wait_for_part(&out, 4 << 20);
    drop(get);
    // The record believes in bytes that are not there.
    fs::write(beside(&out, ".pleach-part"), vec![7; LEN / 2]).unwrap();
    expect_exit(0, &["get", &share.line, "-o", path(&out)]);
    assert!(fs::read(&out).unwrap() == sample(LEN), "the bytes are the same");
}

#[cfg(unix)]
#[test]
fn ctrl_c_of_a_download_says_that_it_can_go_on() {
    let (_source, file) = file_of("large.bin", 24 << 20);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("large.bin");
    let share = Server::share(&file, &["--upload-limit", "4MB"]);
    let get = Running::spawn(pleach(&["get", &share.line, "-o", path(&out)]));
    wait_for_part(&out, 1 << 20);
    get.signal(rustix::process::Signal::INT);
    let output = get.output();
    assert_eq!(output.status.code(), Some(130));
    assert!(text(&output.stderr).contains("goes on from there"), "{}", text(&output.stderr));
    assert!(beside(&out, ".pleach-part").exists());
}

#[test]
fn two_processes_do_not_write_one_file() {
    let (_source, file) = file_of("large.bin", 24 << 20);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("large.bin");
    let share = Server::share(&file, &["--upload-limit", "2MB"]);
    let _first = Running::spawn(pleach(&["get", &share.line, "-o", path(&out)]));
    wait_for_part(&out, 1);
    let said = text(&expect_exit(4, &["get", &share.line, "-o", path(&out)]).stderr);
    assert!(said.contains("another process") && said.contains("large.bin"), "{said}");
}

#[test]
fn what_is_there_is_not_fetched_again_and_not_lost() {
    let (_source, file) = file_of("talk.mp4", 200_000);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("talk.mp4");
    let share = Server::share(&file, &[]);
    fs::write(&out, "something of mine").unwrap();
    let said = text(&expect_exit(4, &["get", &share.line, "-o", path(&out)]).stderr);
    assert!(said.contains("exists already") && said.contains("--force"), "{said}");
    assert_eq!(fs::read(&out).unwrap(), b"something of mine");

    expect_exit(0, &["get", &share.line, "-o", path(&out), "--force"]);
    assert_eq!(fs::read(&out).unwrap(), sample(200_000));
}

#[test]
fn what_is_there_whole_is_known() {
    let (_source, file) = file_of("talk.mp4", 200_000);
    let share = Server::share(&file, &[]);
    let said = text(&expect_exit(0, &["get", &share.line, "-o", path(&file)]).stderr);
    assert!(said.contains("is there already, whole and verified"), "{said}");
}

#[test]
fn a_partial_file_of_something_else_is_not_overwritten() {
    let (_one, one) = file_of("one.bin", 24 << 20);
    let (_two, two) = file_of("two.bin", 100_000);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("out.bin");
    let slow = Server::share(&one, &["--upload-limit", "4MB"]);
    let get = Running::spawn(pleach(&["get", &slow.line, "-o", path(&out)]));
    wait_for_part(&out, 1 << 20);
    drop(get);
    let share = Server::share(&two, &[]);
    let said = text(&expect_exit(4, &["get", &share.line, "-o", path(&out)]).stderr);
    assert!(said.contains("another content"), "{said}");
    expect_exit(0, &["get", &share.line, "-o", path(&out), "--force"]);
    assert_eq!(fs::read(&out).unwrap(), sample(100_000));
}

#[test]
fn a_seeding_downloader_feeds_the_next_one_when_the_source_is_gone() {
    let (_source, file) = file_of("chain.bin", 2_000_000);
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let seed = Server::start(&["seed", path(&file), "--tracker", &tracker.line]);
    let target = tempfile::tempdir().unwrap();
    let (first, second) = (target.path().join("first"), target.path().join("second"));
    let _staying = Running::spawn(pleach(&["get", &seed.line, "-o", path(&first), "--seed"]));
    eventually("the first has it", || first.exists().then_some(()));
    let link = seed.line.clone();
    drop(seed);
    expect_exit(0, &["get", &link, "-o", path(&second)]);
    assert_eq!(fs::read(&second).unwrap(), sample(2_000_000));
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_sigterm_end_sharing_cleanly() {
    use rustix::process::Signal;
    for signal in [Signal::INT, Signal::TERM] {
        let (_source, file) = file_of("talk.mp4", 300_000);
        let target = tempfile::tempdir().unwrap();
        let share = Server::share(&file, &[]);
        expect_exit(0, &["get", &share.line, "-o", path(target.path())]);
        share.process.signal(signal);
        let (status, said) = share.end();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.contains("shared talk.mp4 for") && said.contains("to 1 peer"), "{said}");
    }
}

#[test]
fn sharing_twice_finds_a_port_for_both() {
    let (_source, file) = file_of("talk.mp4", 1000);
    let one = Server::start(&["share", "--no-qr", "--host", "127.0.0.1", path(&file)]);
    let two = Server::start(&["share", "--no-qr", "--host", "127.0.0.1", path(&file)]);
    assert_ne!(one.line, two.line);
    for share in [&one, &two] {
        let output = finish(pleach(&["get", &share.line, "--stdout", "-q"]));
        assert_eq!(output.stdout, sample(1000), "{}", text(&output.stderr));
    }
}
