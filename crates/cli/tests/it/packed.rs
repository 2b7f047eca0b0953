//! Compressed and encrypted content, from process to process, and what others see of it.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::common::{
    Running, Server, beside, eventually, expect_exit, file_of, finish, path, pleach, read_files, sample, text,
    wait_for_part, write_files,
};

fn inspect(link: &str) -> Value {
    serde_json::from_slice(&expect_exit(0, &["inspect", link, "--json"]).stdout).unwrap()
}

/// A link, and what is behind its `k1.`.
fn split_key(link: &str) -> (&str, &str) {
    link.split_once("&k1.").expect("the link has a key")
}

/// Text of which half is left by compression.
fn prose(len: usize) -> Vec<u8> {
    sample(len).into_iter().map(|byte| b'a' + byte % 16).collect()
}

#[test]
fn an_encrypted_file_arrives_and_leaves_nothing_else() {
    for len in [0, 1, 3_000_001] {
        let (_source, file) = file_of("talk.mp4", len);
        let target = tempfile::tempdir().unwrap();
        let share = Server::share(&file, &["--encrypt"]);
        let said = text(&expect_exit(0, &["get", &share.line, "-o", path(target.path())]).stderr);
        assert!(said.contains("unpacked"), "{said}");
        let arrived = read_files(target.path());
        assert_eq!(arrived.keys().collect::<Vec<_>>(), ["talk.mp4"]);
        assert!(arrived["talk.mp4"] == sample(len));
        let said = text(&expect_exit(0, &["get", &share.line, "-o", path(target.path())]).stderr);
        assert!(said.contains("is there already, whole and verified"), "{said}");
        assert!(expect_exit(0, &["get", &share.line, "--stdout"]).stdout == sample(len));
    }
}

#[test]
fn an_encrypted_folder_arrives() {
    let source = tempfile::tempdir().unwrap();
    let folder = source.path().join("Talks");
    write_files(&folder, &[("2031/talk.mp4", 900_001), ("empty", 0), ("notes.txt", 300_000)]);
    let target = tempfile::tempdir().unwrap();
    let share = Server::share(&folder, &["--encrypt", "--compress"]);
    expect_exit(0, &["get", &share.line, "-o", path(target.path())]);
    assert!(read_files(&target.path().join("Talks")) == read_files(&folder));
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1, "nothing else is left");
    let said = text(&expect_exit(2, &["get", &share.line, "--stdout"]).stderr);
    assert!(said.contains("Talks is a folder"), "{said}");
}

#[test]
fn a_compressed_file_takes_less_of_the_line_and_needs_no_key() {
    let source = tempfile::tempdir().unwrap();
    let file = source.path().join("book.txt");
    fs::write(&file, prose(2_000_000)).unwrap();
    let share = Server::share(&file, &["--compress"]);
    assert!(!share.line.contains("k1."));
    let told = inspect(&share.line);
    assert_eq!((&told["name"], &told["files_bytes"]), (&"book.txt".into(), &2_000_000.into()));
    assert!(told["size_bytes"].as_u64().unwrap() < 1_200_000, "{told}");
    assert!(expect_exit(0, &["get", &share.line, "--stdout"]).stdout == prose(2_000_000));
}

#[test]
fn a_wrong_key_is_told_before_anything_is_fetched() {
    let (_source, file) = file_of("secret plans.pdf", 200_000);
    let (_other, other) = file_of("other.pdf", 1_000);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("out");
    let share = Server::share(&file, &["--encrypt"]);
    let another = Server::share(&other, &["--encrypt"]);
    let (bare, key) = split_key(&share.line);
    for (link, why) in [
        (bare.to_owned(), "the link has no key"),
        (format!("{bare}&k1.{}", split_key(&another.line).1), "does not open this content"),
        (format!("{bare}&k1.{}", &key[..40]), "the key is damaged"),
    ] {
        let said = text(&expect_exit(6, &["get", &link, "-o", path(&out)]).stderr);
        assert!(said.contains(why) && said.trim_end().lines().count() == 1, "{said}");
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
    }
    let told = inspect(bare);
    assert_eq!((&told["name"], &told["is_encrypted"]), (&Value::Null, &true.into()));
    let said = text(&expect_exit(0, &["inspect", bare]).stdout);
    assert!(said.contains("encrypted") && !said.contains("plans"), "{said}");
    assert_eq!(inspect(&share.line)["name"], "secret plans.pdf");
    expect_exit(0, &["get", bare, "--key", key, "-o", path(&out)]);
    assert!(fs::read(&out).unwrap() == sample(200_000));
}

#[test]
fn a_password_opens_what_its_link_does_not() {
    let (source, file) = file_of("talk.mp4", 200_000);
    let password = source.path().join("password");
    fs::write(&password, "correct horse\nand a second line\n").unwrap();
    let share = Server::share(&file, &["--password-file", path(&password)]);
    assert!(!share.line.contains("k1."));
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("out");
    let get = |password: Option<&str>| {
        let mut get = pleach(&["get", &share.line, "-o", path(&out)]);
        if let Some(password) = password {
            get.env("PLEACH_PASSWORD", password);
        }
        finish(get)
    };
    for (password, why) in [(None, "asks for a password"), (Some("incorrect horse"), "the password is wrong")] {
        let output = get(password);
        assert_eq!(output.status.code(), Some(6));
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
    }
    assert!(text(&expect_exit(0, &["inspect", &share.line]).stdout).contains("with the password"));
    let output = get(Some("correct horse"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(fs::read(&out).unwrap() == sample(200_000));
}

#[test]
fn two_shares_of_one_file_have_nothing_in_common() {
    let (_source, file) = file_of("talk.mp4", 100_000);
    let (one, two) = (Server::share(&file, &["--encrypt"]), Server::share(&file, &["--encrypt"]));
    assert_ne!(inspect(&one.line)["id"], inspect(&two.line)["id"]);
    assert_ne!(split_key(&one.line).1, split_key(&two.line).1);
}

#[test]
fn a_killed_download_of_packed_content_goes_on() {
    const LEN: usize = 24 << 20;
    let (_source, file) = file_of("large.bin", LEN);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("large.bin");
    let share = Server::share(&file, &["--encrypt", "--upload-limit", "6MB"]);
    let get = Running::spawn(pleach(&["get", &share.line, "-o", path(&out)]));
    wait_for_part(&out, 4 << 20);
    drop(get);
    let said = text(&expect_exit(0, &["get", &share.line, "-o", path(&out)]).stderr);
    assert!(said.contains("going on"), "{said}");
    assert!(fs::read(&out).unwrap() == sample(LEN));
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1, "nothing else is left");
}

/// What ends between two steps of unpacking leaves what the next run goes on from, or tidies.
#[test]
fn what_an_interrupted_unpacking_left_is_tidied() {
    let (_source, file) = file_of("talk.mp4", 200_000);
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("talk.mp4");
    let share = Server::share(&file, &["--encrypt"]);
    fs::write(beside(&out, ".pleach-unpacked"), "half of it").unwrap();
    expect_exit(0, &["get", &share.line, "-o", path(&out)]);
    assert!(fs::read(&out).unwrap() == sample(200_000));
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn who_unpacked_still_feeds_others() {
    let (_source, file) = file_of("chain.bin", 2_000_000);
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let seed = Server::start(&["seed", path(&file), "--encrypt", "--tracker", &tracker.line]);
    let target = tempfile::tempdir().unwrap();
    let (first, second) = (target.path().join("first"), target.path().join("second"));
    let _staying = Running::spawn(pleach(&["get", &seed.line, "-o", path(&first), "--seed"]));
    eventually("the first has it", || first.exists().then_some(()));
    let link = seed.line.clone();
    drop(seed);
    expect_exit(0, &["get", &link, "-o", path(&second)]);
    assert!(fs::read(&second).unwrap() == sample(2_000_000));
}

#[test]
fn a_file_that_changes_ends_its_packed_share() {
    let (_source, file) = file_of("talk.mp4", 2_000_000);
    let share = Server::share(&file, &["--encrypt", "--compress"]);
    let mut changed = sample(2_000_000);
    changed[1_000_000] ^= 1;
    fs::write(&file, changed).unwrap();
    let (status, said) = share.end();
    assert_eq!(status.code(), Some(5), "{said}");
    assert!(said.contains("changed while it was being shared"), "{said}");
}

#[test]
fn a_packed_share_of_a_file_that_was_only_touched_goes_on() {
    let (_source, file) = file_of("talk.mp4", 2_000_000);
    let share = Server::share(&file, &["--encrypt", "--compress"]);
    fs::File::options().write(true).open(&file).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert!(expect_exit(0, &["get", &share.line, "--stdout"]).stdout == sample(2_000_000));
}

/// Published bytes can be seeded by who can't read them.
#[test]
fn published_bytes_are_seeded_without_the_key() {
    let source = tempfile::tempdir().unwrap();
    let folder = source.path().join("Talks");
    write_files(&folder, &[("one", 400_000), ("two", 1)]);
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let output = expect_exit(0, &["publish", path(&folder), "--encrypt", "--tracker", &tracker.line, "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (packed, described) = (source.path().join("Talks.packed"), source.path().join("Talks.pleach"));
    assert_eq!((told["path"].as_str(), told["packed"].as_str()), (Some(path(&described)), Some(path(&packed))));
    assert_eq!(fs::metadata(&packed).unwrap().len(), told["size_bytes"].as_u64().unwrap());
    let (key, link) = (told["key"].as_str().unwrap(), told["links"][0].as_str().unwrap());
    assert!(link.ends_with(&format!("&k1.{key}")));

    let _seed = Server::start(&["seed", path(&packed), "--manifest", path(&described), "--tracker", &tracker.line]);
    let target = tempfile::tempdir().unwrap();
    for args in [vec![link], vec![path(&described), "--key", key]] {
        let out = target.path().join(args.len().to_string());
        expect_exit(0, &[&["get"][..], &args, &["-o", path(&out)]].concat());
        assert!(read_files(&out) == read_files(&folder));
    }
    let said = text(&expect_exit(4, &["publish", path(&folder), "--encrypt"]).stderr);
    assert!(said.contains("exists already"), "{said}");
    expect_exit(2, &["publish", path(&folder), "--encrypt", "-o", "-"]);
    expect_exit(2, &["publish", path(&folder), "--encrypt", "-o", path(&source.path().join("x.packed"))]);
    expect_exit(2, &["seed", path(&packed), "--manifest", path(&described), "--encrypt", "--tracker", &tracker.line]);
}

/// Everything that passes a tracker: a proxy before it that keeps what it carries.
struct Tap {
    base: String,
    carried: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Tap {
    fn before(tracker: &str) -> Self {
        let address = tracker.split("://").nth(1).unwrap().split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let carried: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let kept = carried.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&address).unwrap();
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to, kept) = (from.try_clone().unwrap(), to.try_clone().unwrap(), kept.clone());
                    thread::spawn(move || carry(from, to, &kept));
                }
            }
        });
        Self { base, carried }
    }

    /// All that was carried, with WebSocket frames as they were before they were masked.
    fn all(&self) -> Vec<u8> {
        self.carried.lock().unwrap().iter().flat_map(|stream| [stream.clone(), unmasked(stream)].concat()).collect()
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) {
    let place = {
        let mut kept = kept.lock().unwrap();
        kept.push(Vec::new());
        kept.len() - 1
    };
    let mut buffer = [0; 16 << 10];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        kept.lock().unwrap()[place].extend_from_slice(&buffer[..len]);
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// What a client's frames say (RFC 6455, section 5.2).
fn unmasked(stream: &[u8]) -> Vec<u8> {
    let end_of_head = stream.windows(4).position(|window| window == b"\r\n\r\n").map_or(stream.len(), |at| at + 4);
    let (head, mut rest) = stream.split_at(end_of_head);
    let mut said = Vec::new();
    if !String::from_utf8_lossy(head).to_lowercase().contains("sec-websocket-key") {
        return said;
    }
    while rest.len() >= 2 && rest[1] & 0x80 != 0 {
        let (len, after) = match rest[1] & 0x7f {
            126 if rest.len() >= 4 => (usize::from(u16::from_be_bytes([rest[2], rest[3]])), 4),
            126 | 127 => break,
            len => (usize::from(len), 2),
        };
        let Some(frame) = rest.get(after..after + 4 + len) else { break };
        let (mask, payload) = frame.split_at(4);
        said.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        rest = &rest[after + 4 + len..];
    }
    said
}

/// That nothing of a secret is in what others got.
fn assert_absent(what: &str, seen: &[u8], secrets: &[Vec<u8>]) {
    for secret in secrets {
        let found = seen.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{what} has {:?}", String::from_utf8_lossy(secret));
    }
}

/// What a name, the bytes and the key may look like.
fn secrets(key: &str) -> Vec<Vec<u8>> {
    let bytes = sample(3_000_000);
    let raw: Vec<u8> = base64url(key);
    let hex = raw.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut secrets: Vec<Vec<u8>> = bytes.chunks(500_000).map(|chunk| chunk[..24].to_vec()).collect();
    secrets.extend(["Whistleblower", "evidence", &key[..16], &hex[..16]].map(|text| text.as_bytes().to_vec()));
    secrets.push(raw[..12].to_vec());
    secrets
}

fn base64url(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes() {
        bits = bits << 6 | DIGITS.iter().position(|known| *known == digit).expect("it is base64url") as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

fn contents_of(folder: &Path) -> Vec<u8> {
    let files = read_files(folder);
    files.into_iter().flat_map(|(name, bytes)| [name.into_bytes(), bytes].concat()).collect()
}

/// The tracker's traffic and log, a web server's files, a relay's store and both their logs: none of them has the name,
/// the bytes or the key. The same search finds them where nothing is encrypted.
#[test]
fn nobody_between_learns_names_bytes_or_key() {
    for encrypt in [true, false] {
        let source = tempfile::tempdir().unwrap();
        let folder = source.path().join("Whistleblower");
        write_files(&folder, &[("evidence.bin", 3_000_000)]);
        let mut tracker = pleach(&["tracker", "--listen", "127.0.0.1:0", "-v", "-v"]);
        // A file, because nobody would empty a pipe.
        let logged = source.path().join("tracker.log");
        tracker.env("RUST_LOG", "trace").stderr(fs::File::create(&logged).unwrap());
        let tracker = Server::of(tracker);
        let tap = Tap::before(&tracker.line);
        let server = tempfile::tempdir().unwrap();
        let described = server.path().join("public.pleach");
        let how: &[&str] = if encrypt { &["--encrypt"] } else { &[] };
        let publish = ["publish", path(&folder), "--tracker", &tap.base, "--json", "-o", path(&described)];
        let told: Value = serde_json::from_slice(&expect_exit(0, &[&publish[..], how].concat()).stdout).unwrap();
        let link = told["links"][0].as_str().unwrap().to_owned();
        let key = told["key"].as_str().map_or_else(|| "A".repeat(43), str::to_owned);
        let given = if encrypt { server.path().join("public.packed") } else { folder.clone() };

        // One relays: it has everything but the last bytes when its store is looked at.
        let seed = Server::start(&[
            "seed",
            path(&given),
            "--manifest",
            path(&described),
            "--tracker",
            &tap.base,
            "--upload-limit",
            "1MB",
        ]);
        let relay = tempfile::tempdir().unwrap();
        let out = relay.path().join("out");
        let get = Running::spawn(pleach(&["get", &link, "-o", path(&out), "--seed"]));
        wait_for_part(&out, 1 << 20);
        let stored = contents_of(relay.path());
        eventually("it has everything", || out.exists().then_some(()));
        let target = tempfile::tempdir().unwrap();
        expect_exit(0, &["get", &link, "-o", path(&target.path().join("got"))]);
        assert!(read_files(&target.path().join("got")) == read_files(&folder), "it was transferred");
        drop((get, seed));
        let carried = tap.all();
        drop(tracker);
        let log = fs::read(&logged).unwrap();

        let secrets = secrets(&key);
        let has_name = |seen: &[u8]| seen.windows(13).any(|window| window == b"Whistleblower");
        assert!(carried.windows(6).any(|window| window == b"status"), "what peers say to the tracker is looked at");
        assert!(log.len() > 10_000, "the tracker's log is looked at");
        if encrypt {
            assert_absent("what passed the tracker", &carried, &secrets);
            assert_absent("the tracker's log", &log, &secrets);
            assert_absent("the web server", &contents_of(server.path()), &secrets);
            assert_absent("the relay's store", &stored, &secrets);
        } else {
            assert!(has_name(&carried) && has_name(&contents_of(server.path())), "the search finds what is there");
            let first = &sample(3_000_000)[..24];
            assert!(stored.windows(24).any(|window| window == first), "the search finds what is there");
        }
    }
}
