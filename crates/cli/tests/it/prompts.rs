//! Passwords, asked for on a real terminal: a pseudo-terminal with `pleach` behind it.

use std::fs;
use std::io::{Read, Write};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread;

use pty_process::blocking::Pty;
use rustix::termios::{LocalModes, tcgetattr};

use super::common::{Server, eventually, expect_exit, file_of, path, pleach, sample, text};

const CTRL_C: &str = "\x03";
const PASSWORD: &str = "correct horse";

/// `pleach` on a terminal, killed when the test is over.
struct Session {
    child: Child,
    terminal: Arc<Pty>,
    shown: Arc<Mutex<Vec<u8>>>,
    /// Bytes of it that were looked at.
    seen: usize,
}

impl Session {
    fn start(args: &[&str]) -> Self {
        let (terminal, inner) = pty_process::blocking::open().expect("the system has pseudo-terminals");
        let mut command = pty_process::blocking::Command::new(env!("CARGO_BIN_EXE_pleach")).args(args);
        for (name, value) in pleach(args).get_envs().filter(|(_, value)| value.is_none()) {
            assert!(value.is_none());
            command = command.env_remove(name);
        }
        let child = command.env("TERM", "xterm").spawn(inner).expect("pleach starts");
        let (terminal, shown) = (Arc::new(terminal), Arc::new(Mutex::new(Vec::new())));
        let (reader, into) = (terminal.clone(), shown.clone());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // It fails when nobody has the other end any more.
            while let Ok(len @ 1..) = (&*reader).read(&mut buffer) {
                into.lock().expect("nobody panics with it").extend_from_slice(&buffer[..len]);
            }
        });
        Self { child, terminal, shown, seen: 0 }
    }

    fn shown(&self) -> String {
        text(&self.shown.lock().expect("nobody panics with it"))
    }

    /// Waits until something new is shown, and looks at what comes after it from now on.
    fn expect(&mut self, what: &str) {
        let seen = self.seen;
        self.seen = eventually(&format!("{what:?} is shown"), || {
            let shown = self.shown();
            shown.get(seen..).and_then(|new| new.find(what)).map(|at| seen + at + what.len())
        });
    }

    /// Waits for a prompt that hides what is typed, and types.
    fn answer(&mut self, prompt: &str, typed: &str) {
        self.expect(prompt);
        eventually("the echo is off", || (!self.echoes()).then_some(()));
        (&*self.terminal).write_all(typed.as_bytes()).expect("it is open");
    }

    /// Whether the terminal shows what is typed.
    fn echoes(&self) -> bool {
        tcgetattr(&*self.terminal).expect("it is a terminal").local_modes.contains(LocalModes::ECHO)
    }

    /// Waits for the end; the terminal must be as it was. Gives the exit code.
    fn end(&mut self) -> Option<i32> {
        let status = eventually("it ends", || self.child.try_wait().expect("it is ours"));
        assert!(self.echoes(), "the echo stayed off: {}", self.shown());
        status.code()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_password_is_asked_for_twice_by_who_sets_it_and_once_by_who_gets() {
    let (source, file) = file_of("plans.bin", 100_000);
    let mut share = Session::start(&["share", path(&file), "--password", "--listen", "127.0.0.1:0", "--no-qr"]);
    share.answer("password for those who get it: ", &format!("{PASSWORD}\r"));
    share.answer("once more: ", &format!("{PASSWORD}\r"));
    share.expect("http://");
    let link_of =
        |shown: &str| shown.lines().find(|line| line.starts_with("http://")).map(|line| line.trim().to_owned());
    share.expect("\n");
    let link = link_of(&share.shown()).expect("the link is there");

    let out = source.path().join("out");
    let mut get = Session::start(&["get", &link, "-o", path(&out), "--linger", "0"]);
    get.answer("password: ", "incorrect horse\r");
    get.expect("the password is wrong");
    get.answer("password: ", &format!("{PASSWORD}\r"));
    assert_eq!(get.end(), Some(0), "{}", get.shown());
    assert_eq!(fs::read(&out).unwrap(), sample(100_000));
    for shown in [share.shown(), get.shown()] {
        assert!(!shown.contains("horse"), "the password is shown: {shown}");
    }
    (&*share.terminal).write_all(CTRL_C.as_bytes()).unwrap();
    assert_eq!(share.end(), Some(0), "{}", share.shown());
}

#[test]
fn passwords_that_differ_or_are_wrong_are_told_and_the_terminal_is_as_before() {
    let (source, file) = file_of("plans.bin", 1000);
    let out = source.path().join("plans.pleach");
    let mut publish = Session::start(&["publish", path(&file), "--password", "-o", path(&out)]);
    publish.answer("password for those who get it: ", &format!("{PASSWORD}\r"));
    publish.answer("once more: ", "correct house\r");
    publish.expect("the two passwords differ");
    assert_eq!(publish.end(), Some(2), "{}", publish.shown());
    assert!(!out.exists());

    let password = source.path().join("password");
    fs::write(&password, PASSWORD).unwrap();
    let share = Server::share(&file, &["--password-file", path(&password)]);
    let mut get = Session::start(&["get", &share.line, "-o", path(source.path())]);
    for _ in 0..3 {
        get.answer("password: ", "incorrect\r");
        get.expect("the password is wrong");
    }
    assert_eq!(get.end(), Some(6), "{}", get.shown());
}

/// Also if the person presses it again at once.
#[test]
fn ctrl_c_at_a_prompt_ends_and_leaves_the_terminal_as_it_was() {
    let (source, file) = file_of("plans.bin", 1000);
    let out = source.path().join("plans.pleach");
    let publish = ["publish", path(&file), "--password", "-o", path(&out)];
    for typed in [CTRL_C, "corr\x03", "\x03\x03"] {
        let mut publish = Session::start(&publish);
        publish.answer("password for those who get it: ", typed);
        assert_eq!(publish.end(), Some(130), "{}", publish.shown());
        assert!(!publish.shown().contains("corr"), "{}", publish.shown());
    }
    assert!(!out.exists());
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let (_source, file) = file_of("plans.bin", 1000);
    for command in ["share", "publish"] {
        let said = text(&expect_exit(6, &[command, path(&file), "--password"]).stderr);
        assert!(said.contains("PLEACH_PASSWORD") && said.contains("--password-file"), "{said}");
    }
}
