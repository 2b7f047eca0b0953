//! Processes with deadlines.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for anything that should happen soon; generous, since tests share the machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The `pleach` program without any settings from the environment.
pub(crate) fn pleach(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pleach"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("PLEACH_") || name == "RUST_LOG" {
            command.env_remove(name.as_ref());
        }
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end, which must come soon.
pub(crate) fn finish(mut command: Command) -> Output {
    let child = command.spawn().expect("pleach starts");
    Running::new(child).output()
}

/// Runs `pleach` to the end, and insists on an exit code.
pub(crate) fn expect_exit(code: i32, args: &[&str]) -> Output {
    let output = finish(pleach(args));
    assert_eq!(output.status.code(), Some(code), "pleach {args:?}: {}", text(&output.stderr));
    output
}

/// A process that is killed when the test is over.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn new(child: Child) -> Self {
        Self { child }
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        Self::new(command.spawn().expect("pleach starts"))
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).expect("it runs");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_none()
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually("the process ends", || self.child.try_wait().expect("it is ours"))
    }

    /// Waits for the end, with all that it says meanwhile.
    pub(crate) fn output(mut self) -> Output {
        let stdout = self.child.stdout.take().map(read_in_background);
        let stderr = self.child.stderr.take().map(read_in_background);
        let status = self.wait();
        let collect = |bytes: Option<mpsc::Receiver<Vec<u8>>>| {
            bytes.map_or_else(Vec::new, |bytes| bytes.recv_timeout(SOON).expect("the pipe closes"))
        };
        Output { status, stdout: collect(stdout), stderr: collect(stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_in_background(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// A process that prints one line on stdout when it is ready: a link, or an address.
pub(crate) struct Server {
    pub(crate) process: Running,
    pub(crate) line: String,
    stderr: Option<ChildStderr>,
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::of(pleach(args))
    }

    pub(crate) fn of(command: Command) -> Self {
        let what = format!("{command:?}");
        let mut process = Running::spawn(command);
        let stdout = process.child.stdout.take().expect("stdout is piped");
        let stderr = process.child.stderr.take();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            let _ = sender.send(line);
            // Nothing more may come; keep the pipe open so that the process does not notice.
            let mut rest = Vec::new();
            let _ = stdout.read_to_end(&mut rest);
        });
        let line = receiver.recv_timeout(SOON).expect("it gets ready in time").trim_end().to_owned();
        if line.is_empty() {
            let said = stderr.map(|stderr| std::io::read_to_string(stderr).unwrap_or_default()).unwrap_or_default();
            panic!("{what} printed no line on stdout: {said}");
        }
        Self { process, line, stderr }
    }

    /// Shares on a free port of the loopback.
    pub(crate) fn share(file: &Path, more: &[&str]) -> Self {
        let mut args = vec!["share", "--listen", "127.0.0.1:0", "--no-qr"];
        args.extend(more);
        args.extend(["--", path(file)]);
        Self::start(&args)
    }

    /// Waits for the end, with all that it said on stderr.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let stderr = self.stderr.take().map(read_in_background).expect("stderr is piped");
        let status = self.process.wait();
        (status, text(&stderr.recv_timeout(SOON).expect("the pipe closes")))
    }
}

/// Waits until there is something, by looking again and again.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < SOON, "waited too long until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Bytes that are the same in every run and compress badly.
pub(crate) fn sample(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&(len as u64).to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// A directory with one file of [`sample`] bytes.
pub(crate) fn file_of(name: impl AsRef<OsStr>, len: usize) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("there is room for tests");
    let file = directory.path().join(name.as_ref());
    fs::write(&file, sample(len)).expect("there is room for tests");
    (directory, file)
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("test paths are Unicode")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `name` with a suffix, as the partial files are called.
pub(crate) fn beside(out: &Path, suffix: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Bytes of a record before its journal.
pub(crate) const RECORD_HEADER_BYTES: u64 = 80;

/// Waits until so many bytes of a partial download are on the disk, by its record: 68 bytes for each packet.
pub(crate) fn wait_for_part(out: &Path, len_bytes: u64) {
    let record = beside(out, ".pleach-record");
    let record_bytes = RECORD_HEADER_BYTES + len_bytes / (64 << 10) * 68;
    eventually("some of it is there", || {
        (fs::metadata(&record).is_ok_and(|metadata| metadata.len() >= record_bytes)).then_some(())
    });
}

/// Writes files, with the folders they are in, below a folder.
pub(crate) fn write_files(folder: &Path, files: &[(&str, usize)]) {
    for (name, len) in files {
        let place = folder.join(name);
        fs::create_dir_all(place.parent().expect("it is in a folder")).expect("there is room for tests");
        fs::write(place, sample(*len)).expect("there is room for tests");
    }
}

/// All files below a folder, by path.
pub(crate) fn read_files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(&below).expect("it can be read") {
            let place = entry.expect("it can be read").path();
            if place.is_dir() {
                folders.push(place);
            } else {
                let path = place.strip_prefix(folder).expect("it is below").to_str().expect("names are Unicode");
                files.insert(path.replace(std::path::MAIN_SEPARATOR, "/"), fs::read(&place).expect("it can be read"));
            }
        }
    }
    files
}
