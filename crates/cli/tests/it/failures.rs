//! What can't be done is said in words, with a code.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::SystemTime;

use super::common::{Running, Server, eventually, expect_exit, file_of, path, pleach, sample, text};

#[test]
fn what_cannot_be_shared_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let said = text(&expect_exit(2, &["share", path(directory.path())]).stderr);
    assert!(said.contains("there is no file in") && said.contains("--hidden"), "{said}");

    let missing = directory.path().join("missing.bin");
    let said = text(&expect_exit(3, &["share", path(&missing)]).stderr);
    assert!(said.contains("missing.bin") && said.contains("no such file"), "{said}");

    let (_source, file) = file_of("talk.mp4", 10);
    let said = text(&expect_exit(2, &["share", path(&file), "--name", "../evil"]).stderr);
    assert!(said.contains("--name"), "{said}");
    fs::write(directory.path().join("con"), "a device, elsewhere").unwrap();
    fs::write(directory.path().join("other"), "").unwrap();
    let said = text(&expect_exit(2, &["share", path(directory.path())]).stderr);
    assert!(said.contains("\"con\"") && said.contains("rename it"), "{said}");
    let said = text(&expect_exit(1, &["share", path(&file), "--listen", "203.0.113.77:1"]).stderr);
    assert!(said.contains("203.0.113.77:1"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_is_not_waited_for() {
    let said = text(&expect_exit(2, &["share", "/dev/zero"]).stderr);
    assert!(said.contains("not a regular file"), "{said}");
}

#[test]
fn a_link_that_leads_nowhere_is_said() {
    let (_source, file) = file_of("talk.mp4", 10);
    let share = Server::share(&file, &[]);
    let link = share.line.clone();
    drop(share);
    let said = text(&expect_exit(3, &["get", &link, "--timeout", "1"]).stderr);
    assert!(said.contains("cannot reach 127.0.0.1") && said.contains("connection refused"), "{said}");

    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let (_, id_and_more) = link.rsplit_once('/').unwrap();
    let said = text(&expect_exit(3, &["get", &format!("{}/{id_and_more}", tracker.line)]).stderr);
    assert!(said.contains("404"), "{said}");
}

#[test]
fn a_damaged_link_is_said() {
    let (_source, file) = file_of("talk.mp4", 10);
    let share = Server::share(&file, &[]);
    let cut = &share.line[..share.line.len() - 5];
    let said = text(&expect_exit(2, &["get", cut]).stderr);
    assert!(said.contains("damaged"), "{said}");
    // Another digest than the manifest's.
    let other = format!("{}#m1.AAAAAAAAAAAAAAAAAAAAAA", share.line.split('#').next().unwrap());
    let output = super::common::finish(pleach(&["get", &other]));
    assert!(matches!(output.status.code(), Some(1 | 3)), "{}", text(&output.stderr));
}

#[test]
fn nobody_there_is_said_in_time() {
    let (_source, file) = file_of("talk.mp4", 100_000);
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let seed = Server::start(&["seed", path(&file), "--tracker", &tracker.line]);
    let link = seed.line.clone();
    drop(seed);
    let target = tempfile::tempdir().unwrap();
    let said = text(&expect_exit(3, &["get", &link, "-o", path(target.path()), "--timeout", "2"]).stderr);
    assert!(said.contains("nothing came for 2 s"), "{said}");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let (_source, file) = file_of("talk.mp4", 1000);
    let share = Server::share(&file, &[]);
    let target = tempfile::tempdir().unwrap();
    let nowhere = target.path().join("no/such/folder/talk.mp4");
    let said = text(&expect_exit(4, &["get", &share.line, "-o", path(&nowhere)]).stderr);
    assert!(said.contains("no/such/folder") && said.contains("no such file or directory"), "{said}");
    let below_file = file.join("talk.mp4");
    let said = text(&expect_exit(4, &["get", &share.line, "-o", path(&below_file)]).stderr);
    assert!(said.contains("not a directory"), "{said}");
}

#[test]
fn a_file_that_changes_while_it_is_shared_ends_the_sharing() {
    let (_source, file) = file_of("talk.mp4", 500_000);
    let share = Server::share(&file, &[]);
    // The same size, other bytes.
    OpenOptions::new().write(true).open(&file).unwrap().write_all(b"something else").unwrap();
    let (status, said) = share.end();
    assert_eq!(status.code(), Some(5), "{said}");
    assert!(said.contains("talk.mp4 changed while it was being shared"), "{said}");

    fs::write(&file, sample(500_000)).unwrap();
    let share = Server::share(&file, &[]);
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"more").unwrap();
    let (status, said) = share.end();
    assert_eq!(status.code(), Some(5), "{said}");
}

#[test]
fn a_file_that_is_only_touched_goes_on_being_shared() {
    let (_source, file) = file_of("talk.mp4", 500_000);
    let mut share = Server::share(&file, &["-v"]);
    File::options().write(true).open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let output = expect_exit(0, &["get", &share.line, "--stdout", "-q"]);
    assert_eq!(output.stdout, sample(500_000));
    assert!(share.process.is_running());
}

#[test]
fn a_reader_that_closes_the_pipe_ends_the_download() {
    let (_source, file) = file_of("large.bin", 16 << 20);
    let share = Server::share(&file, &["--upload-limit", "8MB"]);
    let mut command = pleach(&["get", &share.line, "--stdout"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut begin = vec![0; 1000];
    let mut stdout = child.stdout.take().unwrap();
    let get = Running::new(child);
    stdout.read_exact(&mut begin).unwrap();
    assert_eq!(begin, sample(16 << 20)[..1000]);
    drop(stdout);
    let output = get.output();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("stdout was closed"), "{}", text(&output.stderr));
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_does_not_wait() {
    use rustix::process::Signal;
    let (_source, file) = file_of("talk.mp4", 10);
    let mut share = Server::share(&file, &[]);
    share.process.signal(Signal::INT);
    eventually("it ends", || {
        if share.process.is_running() {
            share.process.signal(Signal::INT);
            None
        } else {
            Some(())
        }
    });
}
