//! Disks that are full or read-only: real ones, small, in a mount namespace of their own, which goes with the process.
//! Where the system allows no such namespace the tests say so and pass.
#![cfg(target_os = "linux")]

use std::process::{Command, Output, Stdio};

use super::common::{Running, Server, file_of, text, write_files};

/// Runs a script that may mount, with `$PLEACH` as the program, `$LINK`, and an empty directory `$DIR`.
fn in_own_mounts(link: &str, script: &str) -> Option<Output> {
    let directory = tempfile::tempdir().unwrap();
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-ec", script]);
        command.env("PLEACH", env!("CARGO_BIN_EXE_pleach")).env("LINK", link).env("DIR", directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().ok().map(|child| Running::new(child).output())
    };
    let allowed = unshare("mount -t tmpfs -o size=1m none $DIR");
    if !allowed.is_some_and(|output| output.status.success()) {
        eprintln!("skipped: this system allows no mounts in a namespace of its own");
        return None;
    }
    unshare(script)
}

#[test]
fn a_disk_that_is_too_small_is_said_beforehand() {
    let (_source, file) = file_of("large.bin", 4 << 20);
    let share = Server::share(&file, &[]);
    let script = "mount -t tmpfs -o size=1m none $DIR; cd $DIR; $PLEACH get $LINK || exit $?";
    let Some(output) = in_own_mounts(&share.line, script) else { return };
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("not enough space for large.bin: needs 4.0 MiB more, 1.0 MiB free"), "{said}");
}

#[test]
fn a_disk_that_is_too_small_for_a_folder_is_said_beforehand() {
    let source = tempfile::tempdir().unwrap();
    let folder = source.path().join("many");
    write_files(&folder, &[("1", 600_000), ("2/3", 600_000)]);
    let share = Server::share(&folder, &[]);
    let script = "mount -t tmpfs -o size=1m none $DIR; cd $DIR; code=0; $PLEACH get $LINK || code=$?; ls; exit $code";
    let Some(output) = in_own_mounts(&share.line, script) else { return };
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("not enough space for many: needs 1.1 MiB more, 1.0 MiB free"), "{said}");
    assert_eq!(text(&output.stdout), "", "nothing is left");
}

#[test]
fn a_disk_that_fills_up_meanwhile_is_said_and_what_is_there_is_kept() {
    let (_source, file) = file_of("large.bin", 8 << 20);
    let share = Server::share(&file, &["--upload-limit", "4MB"]);
    let script = "mount -t tmpfs -o size=10m none $DIR; cd $DIR
        $PLEACH get $LINK & pid=$!
        while [ ! -s large.bin.pleach-part ]; do sleep 0.05; done
        head -c 20000000 /dev/zero > filler || true
        code=0; wait $pid || code=$?
        ls; exit $code";
    let Some(output) = in_own_mounts(&share.line, script) else { return };
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("large.bin.pleach-part: no space left on the disk"), "{said}");
    let left = text(&output.stdout);
    assert!(left.contains("large.bin.pleach-part") && left.contains("large.bin.pleach-record"), "{left}");
}

#[test]
fn a_read_only_disk_is_said() {
    let (_source, file) = file_of("talk.mp4", 1000);
    let share = Server::share(&file, &[]);
    let script = "mount -t tmpfs -o ro none $DIR; cd $DIR; $PLEACH get $LINK || exit $?";
    let Some(output) = in_own_mounts(&share.line, script) else { return };
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("talk.mp4.pleach-record: the file system is read-only"), "{said}");
}
