//! `pleach tracker`, `pleach seed` and `pleach inspect`.

use std::fs;

use super::common::{Server, expect_exit, file_of, finish, path, pleach, sample, text};

#[test]
fn printed_settings_are_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("tracker.toml");
    let printed = text(&expect_exit(0, &["tracker", "--print-config"]).stdout);
    assert!(printed.contains("# "), "it is commented: {printed}");
    fs::write(&config, &printed).unwrap();
    let tracker = Server::start(&["tracker", "--config", path(&config), "--listen", "127.0.0.1:0"]);
    assert!(tracker.line.starts_with("http://127.0.0.1:"), "{}", tracker.line);

    // The same with every key in force.
    let in_force: String = printed
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.contains(" = ") && !key.starts_with(' ') => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(&config, in_force).unwrap();
    Server::start(&["tracker", "--config", path(&config), "--listen", "127.0.0.1:0"]);
}

#[test]
fn settings_that_are_not_known_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("tracker.toml");
    fs::write(&config, "listne = \"127.0.0.1:0\"\n").unwrap();
    let said = text(&expect_exit(2, &["tracker", "--config", path(&config)]).stderr);
    assert!(said.contains("listne"), "{said}");
    let missing = directory.path().join("missing.toml");
    let said = text(&expect_exit(4, &["tracker", "--config", path(&missing)]).stderr);
    assert!(said.contains("missing.toml"), "{said}");
}

#[test]
fn a_seeded_file_is_described_and_got_by_link_and_by_file() {
    let (directory, file) = file_of("talk.mp4", 1_000_003);
    let saved = directory.path().join("saved.pleach");
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let seed = Server::start(&["seed", path(&file), "--tracker", &tracker.line, "--save-manifest", path(&saved)]);
    assert!(seed.line.starts_with(&tracker.line), "{} at {}", seed.line, tracker.line);

    for source in [seed.line.as_str(), path(&saved)] {
        let output = expect_exit(0, &["inspect", source, "--json"]);
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["name"], "talk.mp4");
        assert_eq!(told["size_bytes"], 1_000_003);
        assert_eq!(told["id"], blake3::hash(&sample(1_000_003)).to_hex().as_str());
        assert_eq!(told["packets"], 16);
        assert_eq!(told["media_type"], "video/mp4");
        assert_eq!(told["trackers"].as_array().unwrap().len(), 1);
        let shown = text(&expect_exit(0, &["inspect", source]).stdout);
        assert!(shown.contains("talk.mp4") && shown.contains("1000003 bytes"), "{shown}");
        assert_eq!(expect_exit(0, &["get", source, "--stdout", "-q"]).stdout, sample(1_000_003));
    }
}

#[test]
fn a_file_that_is_no_description_is_said() {
    let (_directory, file) = file_of("talk.pleach", 100);
    let said = text(&expect_exit(1, &["inspect", path(&file)]).stderr);
    assert!(said.contains("talk.pleach"), "{said}");
    expect_exit(3, &["inspect", "no-such-file.pleach"]);
}

#[test]
fn a_tracker_that_is_not_there_is_said() {
    let (_directory, file) = file_of("talk.mp4", 100);
    let said = text(&expect_exit(3, &["seed", path(&file), "--tracker", "http://127.0.0.1:9"]).stderr);
    assert!(said.contains("127.0.0.1:9"), "{said}");
    let said = text(&expect_exit(2, &["seed", path(&file), "--tracker", "somewhere"]).stderr);
    assert!(said.contains("somewhere"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_tracker_with_tls_is_believed_by_the_systems_certificates() {
    let (directory, file) = file_of("talk.mp4", 100_000);
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let listen = ["tracker", "--listen", "127.0.0.1:0"];
    let tracker = Server::start(&[&listen[..], &["--tls-cert", path(&cert), "--tls-key", path(&key)]].concat());
    assert!(tracker.line.starts_with("https://"), "{}", tracker.line);

    let mut seed = pleach(&["seed", path(&file), "--tracker", &tracker.line]);
    seed.env("SSL_CERT_FILE", &cert);
    let seed = Server::of(seed);
    let mut get = pleach(&["get", &seed.line, "--stdout", "-q"]);
    get.env("SSL_CERT_FILE", &cert);
    let output = finish(get);
    assert_eq!(output.stdout, sample(100_000), "{}", text(&output.stderr));

    let stranger = expect_exit(3, &["get", &seed.line, "--stdout", "--timeout", "1"]);
    assert!(text(&stranger.stderr).contains("certificate"), "{}", text(&stranger.stderr));
}
