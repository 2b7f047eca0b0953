//! Descriptions: written, looked at, and acted upon.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::common::{Server, expect_exit, file_of, path, sample, text, write_files};

fn inspect(link: &str) -> Value {
    serde_json::from_slice(&expect_exit(0, &["inspect", link, "--json"]).stdout).unwrap()
}

#[test]
fn a_description_lies_beside_its_file() {
    let (_source, file) = file_of("talk.mp4", 3_000_000);
    let options = [
        "--tracker",
        "https://tracker.example",
        "--tracker",
        "ws://127.0.0.1:9/ws",
        "--source",
        "https://site.example/talk.mp4",
        "--segments",
        "ramp:128KiB:1MiB",
        "--priority",
        "-64KiB=200",
        "--active-from",
        "2031-05-01T18:00:00Z",
        "--active-until",
        "2031-05-02T20:00:00+02:00",
    ];
    let output = expect_exit(0, &[&["publish", path(&file)][..], &options].concat());
    let described = format!("{}.pleach", path(&file));
    assert_eq!(text(&output.stdout), format!("{described}\n"));
    let told = inspect(&described);
    assert_eq!(told["trackers"], json!(["wss://tracker.example/ws", "ws://127.0.0.1:9/ws"]));
    assert_eq!(told["sources"], json!(["https://site.example/talk.mp4"]));
    assert_eq!((&told["name"], &told["media_type"]), (&json!("talk.mp4"), &json!("video/mp4")));
    assert_eq!(told["active_from_ms"], json!(1_935_424_800_000_u64));
    assert_eq!(told["active_until_ms"], json!(1_935_511_200_000_u64));
    let segments: Vec<_> = told["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|segment| (&segment["len_bytes"], &segment["priority"]))
        .collect();
    let expected = [(131_072, 255), (262_144, 127), (524_288, 63), (1_048_576, 31), (968_384, 15), (65_536, 200)];
    assert_eq!(json!(segments), json!(expected));

    let told = text(&expect_exit(0, &["inspect", &described]).stdout);
    for line in ["from       2031-05-01T18:00:00Z", "until      2031-05-02T18:00:00Z", "from byte 0 on, priority 255"] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let said = text(&expect_exit(4, &["publish", path(&file)]).stderr);
    assert!(said.contains("talk.mp4.pleach exists already"), "{said}");
    let output = expect_exit(0, &["publish", path(&file), "--force", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["id"], json!(blake3::hash(&sample(3_000_000)).to_hex().as_str()));
    assert_eq!(told["digest"], inspect(&described)["digest"]);
    assert_eq!(told["links"], json!([]), "without a tracker");
}

#[test]
fn a_folder_has_no_source() {
    let directory = tempfile::tempdir().unwrap();
    write_files(directory.path(), &[("1", 1), ("2", 2)]);
    let said = expect_exit(2, &["publish", path(directory.path()), "--source", "https://site.example/"]).stderr;
    assert!(text(&said).contains("--source is for one file"), "{}", text(&said));
}

#[test]
fn what_was_published_is_seeded_under_its_description() {
    let (source, file) = file_of("talk.mp4", 200_000);
    let described = source.path().join("talk.mp4.pleach");
    let tracker = Server::start(&["tracker", "--listen", "127.0.0.1:0"]);
    let output = expect_exit(0, &["publish", path(&file), "--tracker", &tracker.line, "--segments", "fixed", "--json"]);
    let seed = Server::start(&["seed", path(&file), "--manifest", path(&described), "--tracker", &tracker.line]);
    assert_eq!(inspect(&seed.line), inspect(path(&described)), "the link is for this description");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["links"], json!([seed.line]));
    let out = source.path().join("out");
    expect_exit(0, &["get", path(&described), "-o", path(&out)]);
    assert_eq!(fs::read(&out).unwrap(), sample(200_000));

    let said = expect_exit(2, &["share", path(&out), path(&file), "--manifest", path(&described)]).stderr;
    assert!(text(&said).contains("other files than these"), "{}", text(&said));
}

/// So many seconds from now, as people write it.
fn in_s(seconds: u64) -> String {
    (OffsetDateTime::now_utc() + Duration::from_secs(seconds)).format(&Rfc3339).unwrap()
}

#[test]
fn what_is_not_to_be_had_yet_is_waited_for_or_refused() {
    let (source, file) = file_of("talk.mp4", 1000);
    let later = Server::share(&file, &["--active-from", &in_s(3600)]);
    let said = text(&expect_exit(3, &["get", &later.line, "-o", path(source.path())]).stderr);
    assert!(said.contains("to be had from 2") && said.contains("in 59 min") && said.contains("--timeout"), "{said}");

    // To end what waits is a good end.
    #[cfg(unix)]
    {
        later.process.signal(rustix::process::Signal::INT);
        let (status, said) = later.end();
        assert!(status.success() && said.contains("waiting until"), "{said}");
    }

    let soon = Server::share(&file, &["--active-from", &in_s(3)]);
    let output = expect_exit(0, &["get", &soon.line, "--stdout"]);
    assert_eq!(output.stdout, sample(1000));
    assert!(text(&output.stderr).contains("waiting until"), "{}", text(&output.stderr));
}

#[test]
fn what_is_over_is_refused_and_no_longer_given() {
    let (source, file) = file_of("talk.mp4", 1000);
    let over = ["--active-until", "2001-01-01T00:00:00Z"];
    let said = text(&expect_exit(3, &[&["share", path(&file)][..], &over].concat()).stderr);
    assert!(said.contains("until 2001-01-01T00:00:00Z; its time is over"), "{said}");
    let described = source.path().join("talk.mp4.pleach");
    expect_exit(0, &[&["publish", path(&file), "--tracker", "http://127.0.0.1:9"][..], &over].concat());
    for args in [["get", path(&described)].as_slice(), &["share", path(&file), "--manifest", path(&described)]] {
        let said = text(&expect_exit(3, args).stderr);
        assert!(said.contains("its time is over"), "{said}");
    }

    let share = Server::share(&file, &["--active-until", &in_s(3)]);
    let (status, said) = share.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("its time is over"), "{said}");
}

#[test]
fn a_film_is_cut_where_it_can_be_played_from_and_its_index_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../native/src/media/samples/end.mp4");
    let film = folder.path().join("film.mp4");
    fs::copy(sample, &film).unwrap();
    expect_exit(0, &["publish", path(&film), "--segments", "media"]);
    let output = expect_exit(0, &["inspect", path(&folder.path().join("film.mp4.pleach")), "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let segments = told["segments"].as_array().unwrap();
    let segments: Vec<_> = segments.iter().map(|segment| (&segment["len_bytes"], &segment["priority"])).collect();
    assert_eq!(json!(segments.first()), json!([24, 255]), "{told}");
    assert_eq!(json!(segments.last()), json!([868, 255]), "{told}");
}

fn segments_of(described: &Path) -> Value {
    let told = inspect(path(described));
    let segments = told["segments"].as_array().unwrap();
    let segments = segments.iter().map(|segment| (segment["len_bytes"].clone(), segment["priority"].clone()));
    json!(segments.collect::<Vec<_>>())
}

/// C6: a priority that the author specifies, segment by segment.
#[test]
fn an_author_lists_segments_and_is_told_the_line_that_is_wrong() {
    let (source, file) = file_of("talk.mp4", 300_000);
    let (list, described) = (source.path().join("list.txt"), source.path().join("talk.mp4.pleach"));
    let by = format!("author:{}", path(&list));
    let publish = ["publish", path(&file), "--segments", &by, "--force"];
    fs::write(&list, "# the index, then the beginning\n-868=255\n\n0-100kB=200 # soon\n100kB-150kB\n").unwrap();
    expect_exit(0, &publish);
    assert_eq!(segments_of(&described), json!([[100_000, 200], [50_000, 0], [149_132, 0], [868, 255]]));

    expect_exit(0, &[&publish[..], &["--priority", "0-50kB=9"]].concat());
    assert_eq!(segments_of(&described)[0], json!([50_000, 9]), "a priority on the command line counts more");

    for (lines, why) in [
        ("0-100kB=200\n100kB-150kB=256\n", "line 2: expected a range and a priority"),
        ("0-100kB=200\n\nhurry\n", "line 3: expected a range, such as"),
        ("0-100kB 200\n", "line 1: \"100kB 200\" is no size"),
        ("0-100kB\n200kB-=1\n90kB-150kB=2\n", "line 3: it has bytes that line 1 has too"),
        ("0-100kB\n1MB-=1\n", "line 2: none of these bytes are in the content, which has 300000"),
        ("100kB-50kB\n", "line 1: none of these bytes"),
        ("# nothing\n", "there is no range in it"),
    ] {
        fs::write(&list, lines).unwrap();
        let said = text(&expect_exit(2, &publish).stderr);
        assert!(said.contains("list.txt") && said.contains(why), "{said}");
    }
    fs::remove_file(&list).unwrap();
    let said = text(&expect_exit(4, &publish).stderr);
    assert!(said.contains("cannot read the segments in") && said.contains("list.txt"), "{said}");
    fs::write(&list, vec![b'#'; 2 << 20]).unwrap();
    assert!(text(&expect_exit(4, &publish).stderr).contains("more than 1 MiB"));
}
