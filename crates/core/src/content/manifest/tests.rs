use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::content::CONTENT_BYTES_MAX;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn parse(value: &Value) -> Result<Manifest, ManifestError> {
    Manifest::parse(value.to_string().as_bytes())
}

/// A manifest that is good, to be spoilt.
fn good() -> Value {
    json!({
        "pleach": 1, "id": ID, "size_bytes": 100,
        "files": [{ "path": "talk.mp4", "size_bytes": 100, "media_type": "video/mp4" }],
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut manifest = good();
    manifest[field] = value;
    manifest
}

/// A manifest of files of no size at these paths.
fn with_paths(paths: &[&str]) -> Value {
    let mut files: Vec<_> = paths.iter().map(|path| json!({ "path": path, "size_bytes": 0 })).collect();
    files.push(json!({ "path": "last one", "size_bytes": 100 }));
    with("files", files.into())
}

fn assert_refused(manifest: &Value, why: &str) {
    let error = parse(manifest).expect_err(why).to_string();
    assert!(error.contains(why), "{error:?} should say {why:?}");
}

#[test]
fn a_whole_manifest_is_read() {
    let bytes = json!({
        "pleach": 1, "id": ID, "size_bytes": 300, "name": "Talks", "later": { "x": [1, 2] },
        "files": [
            { "path": "2031/über die Bäume.mp4", "size_bytes": 300, "media_type": "video/mp4; codecs=\"avc1\"", "later": 1 },
            { "path": "2031/空.txt", "size_bytes": 0 },
        ],
        "segments": [{ "offset_bytes": 0, "len_bytes": 10, "priority": 7 }, { "offset_bytes": 10, "len_bytes": 290 }],
        "trackers": ["wss://example.org/ws", "ws://[::1]:9000/ws"],
        "sources": ["https://example.org/a%20talk.mp4?x=1"],
        "hashes": ["https://example.org/a%20talk.mp4.pleach-hashes"],
        "active_from_ms": 1, "active_until_ms": 2,
        "required": ["files", "name", "hashes"],
    })
    .to_string();
    let manifest = Manifest::parse(bytes.as_bytes()).unwrap();
    assert_eq!(manifest.id().to_string(), ID);
    assert_eq!((manifest.size_bytes(), manifest.geometry()), (300, Geometry::new(300).unwrap()));
    assert_eq!((manifest.name(), manifest.media_type()), ("Talks", None));
    assert_eq!(manifest.files()[0].media_type.as_deref(), Some("video/mp4; codecs=\"avc1\""));
    assert_eq!(manifest.files()[1], FileEntry { path: "2031/空.txt".into(), size_bytes: 0, media_type: None });
    assert_eq!(manifest.segments()[0], Segment { offset_bytes: 0, len_bytes: 10, priority: 7 });
    assert_eq!(manifest.segments()[1], Segment { offset_bytes: 10, len_bytes: 290, priority: 0 });
    assert_eq!(manifest.trackers().len(), 2);
    assert_eq!(manifest.sources(), ["https://example.org/a%20talk.mp4?x=1"]);
    assert_eq!(manifest.hashes(), ["https://example.org/a%20talk.mp4.pleach-hashes"]);
    assert_eq!((manifest.active_from_ms(), manifest.active_until_ms()), (Some(1), Some(2)));
    assert_eq!(manifest.as_bytes(), bytes.as_bytes(), "with all that was not understood");
    assert_eq!(manifest.digest(), ManifestDigest::of(bytes.as_bytes()));
}

#[test]
fn a_manifest_is_made_as_it_is_read() {
    let id = ID.parse().unwrap();
    let manifest = Manifest::of_file("talk.mp4", Some("video/mp4"), id, 100).unwrap();
    assert_eq!((manifest.name(), manifest.media_type(), manifest.size_bytes()), ("talk.mp4", Some("video/mp4"), 100));
    assert_eq!(serde_json::from_slice::<Value>(manifest.as_bytes()).unwrap(), good());
    let manifest = ManifestBuilder::new(id)
        .name("Both")
        .file("a/1", 60, None)
        .file("a/2", 40, Some("text/plain"))
        .segment(Segment { offset_bytes: 0, len_bytes: 100, priority: 1 })
        .tracker("wss://example.org/ws")
        .source("https://example.org/both")
        .active_from_ms(Some(5))
        .active_until_ms(Some(6))
        .build()
        .unwrap();
    assert_eq!((manifest.name(), manifest.size_bytes(), manifest.files().len()), ("Both", 100, 2));
    assert_eq!((manifest.trackers().len(), manifest.sources().len(), manifest.segments().len()), (1, 1, 1));
    assert_eq!((manifest.active_from_ms(), manifest.active_until_ms()), (Some(5), Some(6)));
    assert_eq!(manifest.layout(), Layout::new([60, 40]));
    assert!(Manifest::of_file("a/../b", None, id, 1).is_err());
    assert!(ManifestBuilder::new(id).file("a", u64::MAX, None).file("b", 1, None).build().is_err());
}

#[test]
fn the_name_is_found() {
    let name = |paths: &[&str]| {
        let builder = ManifestBuilder::new(ID.parse().unwrap());
        let files = paths.iter().fold(builder, |builder, path| builder.file(path, 1, None));
        files.build().unwrap().name().to_owned()
    };
    assert_eq!(name(&["talk.mp4"]), "talk.mp4");
    assert_eq!(name(&["talks/2031/talk.mp4"]), "talk.mp4");
    assert_eq!(name(&["talks/1", "talks/2/3"]), "talks");
    assert_eq!(name(&["talks/1", "talks2/3"]), "1");
    assert_eq!(name(&["1", "talks/3"]), "1");
}

#[test]
fn a_folder_is_saved_under_its_name() {
    let saved = |name: Option<&str>, paths: &[&str]| {
        let builder = ManifestBuilder::new(ID.parse().unwrap());
        let builder = name.into_iter().fold(builder, ManifestBuilder::name);
        let manifest = paths.iter().fold(builder, |builder, path| builder.file(path, 1, None)).build().unwrap();
        let paths: Vec<_> = manifest.saved_paths().map(str::to_owned).collect();
        (manifest.is_folder(), manifest.saved_name().to_owned(), paths.join(" "))
    };
    let expect = |is_folder: bool, name: &str, paths: &str| (is_folder, name.to_owned(), paths.to_owned());
    assert_eq!(saved(None, &["talk.mp4"]), expect(false, "talk.mp4", "talk.mp4"));
    assert_eq!(saved(Some("Talk"), &["talk.mp4"]), expect(false, "Talk", "talk.mp4"));
    assert_eq!(saved(Some("Talks"), &["1", "2/3"]), expect(true, "Talks", "1 2/3"));
    assert_eq!(saved(None, &["talks/1", "talks/2/3"]), expect(true, "talks", "1 2/3"));
    assert_eq!(saved(Some("talks"), &["talks/1", "talks/2/3"]), expect(true, "talks", "talks/1 talks/2/3"));
    assert_eq!(saved(Some("Talks"), &["talks/1", "talks/2/3"]), expect(true, "Talks", "talks/1 talks/2/3"));
    assert_eq!(saved(None, &["1", "talks/3"]), expect(true, "1", "1 talks/3"));
    assert_eq!(saved(None, &["talks/2/3"]), expect(true, "talks", "2/3"));
    assert_eq!(saved(Some("Talk"), &["talks/2/3"]), expect(true, "Talk", "talks/2/3"));
}

#[test]
fn many_files_are_written_without_spaces() {
    let build = |name_bytes: usize| {
        let builder = ManifestBuilder::new(ID.parse().unwrap());
        let paths = (0..FILES_MAX).map(|n| format!("{n:0name_bytes$}"));
        paths.fold(builder, |builder, path| builder.file(&path, 1, None)).build()
    };
    assert!(build(8).unwrap().as_bytes().contains(&b' '), "for people, while there is room");
    assert!(!build(60).unwrap().as_bytes().contains(&b' '));
    assert!(matches!(build(200), Err(ManifestError::TooLong(_))));
}

#[test]
fn bytes_have_a_limit() {
    let mut bytes = good().to_string().into_bytes();
    bytes.resize(MANIFEST_BYTES_MAX, b' ');
    assert!(Manifest::parse(&bytes).is_ok());
    bytes.push(b' ');
    assert_eq!(Manifest::parse(&bytes).unwrap_err(), ManifestError::TooLong(MANIFEST_BYTES_MAX + 1));
}

#[test]
fn what_is_no_manifest_is_refused() {
    for text in ["", "{", "[]", "null", "1", "{}{}", "\u{0}", "<html>", "{\"pleach\":\"1\"}", "{\"pleach\":-1}"] {
        assert!(matches!(Manifest::parse(text.as_bytes()), Err(ManifestError::Json(_))), "{text}");
    }
    assert!(matches!(Manifest::parse(b"\xff\xfe"), Err(ManifestError::Json(_))));
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    assert!(matches!(Manifest::parse(&deep), Err(ManifestError::Json(_))));
    assert_eq!(Manifest::parse(b"{}").unwrap_err(), ManifestError::NotPleach);
    assert_eq!(Manifest::parse(b"{\"pleach\":null}").unwrap_err(), ManifestError::NotPleach);
    for field in ["id", "size_bytes", "files"] {
        let mut manifest = good();
        manifest.as_object_mut().unwrap().remove(field);
        assert_refused(&manifest, &format!("missing field `{field}`"));
    }
    assert!(Manifest::parse(good().to_string().replace("\"files\"", "\"id\":0,\"files\"").as_bytes()).is_err());
}

#[test]
fn a_later_version_is_named() {
    assert_refused(&json!({ "pleach": 2, "all": "new" }), "version 2");
    assert_refused(&json!({ "pleach": 0 }), "version 0");
}

#[test]
fn what_is_required_must_be_known() {
    assert!(parse(&with("required", json!(UNDERSTOOD))).is_ok());
    assert!(parse(&with("required", json!([]))).is_ok());
    assert_refused(&with("required", json!(["files", "codec"])), "requires 'codec'");
    assert_refused(&with("required", json!(["x".repeat(1000)])), "xxx…'");
    assert_refused(&with("required", json!(vec!["files"; 65])), "65 names that are required");
    assert_refused(&json!({ "pleach": 1, "required": ["encryption"], "files": "secret" }), "requires 'encryption'");
}

#[test]
fn sizes_must_agree_and_have_a_limit() {
    assert_refused(&with("size_bytes", json!(101)), "the files have 100 bytes together, but the content has 101");
    assert_refused(&with("size_bytes", json!(CONTENT_BYTES_MAX + 1)), "1 TiB");
    assert_refused(&with("size_bytes", json!(u64::MAX)), "1 TiB");
    assert_refused(&with("size_bytes", json!(-1)), "can't be read");
    assert_refused(&with("size_bytes", json!(1.5)), "can't be read");
    let wrapping = json!([{ "path": "a", "size_bytes": u64::MAX }, { "path": "b", "size_bytes": 101 }]);
    assert_refused(&with("files", wrapping), "the files have 18446744073709551615 bytes together");
    let mut largest = with("size_bytes", json!(CONTENT_BYTES_MAX));
    largest["files"][0]["size_bytes"] = json!(CONTENT_BYTES_MAX);
    assert_eq!(parse(&largest).unwrap().geometry().packets(), 1 << 24);
}

#[test]
fn empty_content_has_the_id_of_nothing() {
    let mut empty = with("size_bytes", json!(0));
    empty["files"][0]["size_bytes"] = json!(0);
    assert_refused(&empty, "the content is empty, but its id");
    empty["id"] = json!(blake3::hash(b"").to_hex().as_str());
    assert_eq!(parse(&empty).unwrap().geometry().packets(), 0);
}

#[test]
fn an_id_has_64_digits() {
    for id in ["", "00", &ID[1..], &format!("{ID}0"), &ID.replace('0', "g"), &ID.replace('0', "é")] {
        assert_refused(&with("id", json!(id)), "64 hexadecimal digits");
    }
}

#[test]
fn files_are_counted() {
    assert_refused(&with("files", json!([])), "names no file");
    let files: Vec<_> = (0..=FILES_MAX).map(|n| json!({ "path": n.to_string(), "size_bytes": 0 })).collect();
    assert_refused(&with("files", json!(files)), "10001 files; the most is 10000");
    let mut most = with("files", json!(files[1..]));
    most["files"][0]["size_bytes"] = json!(100);
    assert!(parse(&most).is_ok());
}

#[test]
fn paths_that_can_be_saved_anywhere_are_taken() {
    let long = ["a".repeat(255), "b".repeat(255), "c".repeat(255), "d".repeat(255)].join("/");
    for path in [
        "a",
        "a/b/c.txt",
        "...a",
        ".hidden",
        "a..b",
        "..a",
        "12:30 talk",
        "c",
        "con-artist.txt",
        "com0",
        "com10",
        "comb",
        "console",
        "auxiliary.c",
        "nulls/nul_",
        "lpt",
        "Ünïcödé",
        "日本語/ファイル.txt",
        "עברית.txt",
        "عربى\u{200f}.txt",
        "👩\u{200d}👩.png",
        "fa\u{200c}rsi",
        "it's \"quoted\" & <odd>?*|",
        " leading space",
        long.as_str(),
    ] {
        assert!(parse(&with_paths(&[path])).is_ok(), "{path:?}: {:?}", parse(&with_paths(&[path])));
    }
}

#[test]
fn paths_that_lead_astray_are_refused() {
    let (long_part, long_path) = ("é".repeat(128), vec!["a".repeat(200); 6].join("/"));
    let refused = [
        ("", "empty"),
        ("/a", "begins with a slash"),
        ("/", "begins with a slash"),
        ("//server/share", "begins with a slash"),
        ("a//b", "empty"),
        ("a/", "empty"),
        (".", "'.' or '..'"),
        ("..", "'.' or '..'"),
        ("a/./b", "'.' or '..'"),
        ("a/../b", "'.' or '..'"),
        ("../a", "'.' or '..'"),
        ("a\\b", "backslash"),
        ("..\\a", "backslash"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\u{7f}", "control"),
        ("a\u{85}b", "control"),
        ("a\u{2028}b", "control"),
        ("C:", "Windows drive"),
        ("c:a", "Windows drive"),
        ("C:/a", "Windows drive"),
        ("a/D:b", "Windows drive"),
        ("a.", "dot or a space"),
        ("a ", "dot or a space"),
        ("a./b", "dot or a space"),
        ("a /b", "dot or a space"),
        ("...", "dot or a space"),
        ("con", "device"),
        ("NUL", "device"),
        ("a/Aux.txt", "device"),
        ("prn.tar.gz", "device"),
        ("nul .txt", "device"),
        ("COM1", "device"),
        ("com¹.txt", "device"),
        ("lpt9.x/a", "device"),
        ("CONIN$", "device"),
        ("conout$.txt", "device"),
        ("nul:x", "device"),
        ("photo\u{202e}gpj.exe", "turns text around"),
        ("a\u{2066}b", "turns text around"),
        ("a\u{202a}b", "turns text around"),
        (&long_part, "longer than 255"),
        (&long_path, "longer than 1024"),
    ];
    for (path, why) in refused {
        let error = parse(&with_paths(&[path])).expect_err(path).to_string();
        assert!(error.contains(why), "{path:?}: {error:?} should say {why:?}");
        assert!(error.len() < 400, "a long name is not shown whole");
        if !path.contains('/') && !path.is_empty() {
            assert_refused(&with("name", json!(path)), why);
        }
    }
    assert_refused(&with("name", json!("a/b")), "slash");
    assert_refused(&with("name", json!("")), "empty");
}

#[test]
fn files_do_not_meet() {
    for paths in [
        ["a", "a"],
        ["a", "A"],
        ["Über/a", "über/A"],
        ["ΣΑΣ", "σας"],
        ["a", "a/b"],
        ["a/b/c", "A/B"],
        ["x/y/z/w", "x/Y"],
    ] {
        assert_refused(&with_paths(&paths), "can't both be saved");
    }
    assert!(parse(&with_paths(&["a/b", "a/c", "ab", "a.b", "a b/c", "b/a"])).is_ok());
}

#[test]
fn media_types_are_media_types() {
    let typed = |media_type: &str| {
        let mut manifest = good();
        manifest["files"][0]["media_type"] = json!(media_type);
        parse(&manifest)
    };
    for media_type in ["video/mp4", "application/vnd.a+json", "text/plain; charset=utf-8", "a/b;c"] {
        assert!(typed(media_type).is_ok(), "{media_type}");
    }
    let long = format!("a/{}", "b".repeat(126));
    for media_type in ["", "video", "/", "video/", "/mp4", "video/mp4\r\nX: y", "vidéo/mp4", "a/b/c", "a b/c", &long] {
        assert!(matches!(typed(media_type), Err(ManifestError::MediaType(_))), "{media_type}");
    }
}

#[test]
fn segments_cover_the_content_in_order() {
    let segments = |list: &[(u64, u64)]| {
        let list = list.iter().map(|(offset, len)| json!({ "offset_bytes": offset, "len_bytes": len }));
        with("segments", list.collect())
    };
    assert!(parse(&segments(&[])).is_ok());
    assert!(parse(&segments(&[(0, 100)])).is_ok());
    assert!(parse(&segments(&[(0, 1), (1, 98), (99, 1)])).is_ok());
    assert_refused(&segments(&[(1, 99)]), "segment 0 is empty or does not begin");
    assert_refused(&segments(&[(0, 50), (49, 51)]), "segment 1 is empty or does not begin");
    assert_refused(&segments(&[(0, 50), (51, 49)]), "segment 1 is empty or does not begin");
    assert_refused(&segments(&[(50, 50), (0, 50)]), "segment 0 is empty or does not begin");
    assert_refused(&segments(&[(0, 0), (0, 100)]), "segment 0 is empty or does not begin");
    assert_refused(&segments(&[(0, 99)]), "the segments end at byte 99, but the content has 100");
    assert_refused(&segments(&[(0, 101)]), "the segments end at byte 101");
    assert_refused(&segments(&[(0, u64::MAX), (u64::MAX, u64::MAX)]), "the segments end at");
    let many: Vec<_> = (0..=SEGMENTS_MAX as u64).map(|n| (n, 1)).collect();
    assert_refused(&segments(&many), "16385 segments; the most is 16384");
    let priority = json!([{ "offset_bytes": 0, "len_bytes": 100, "priority": 256 }]);
    assert_refused(&with("segments", priority), "can't be read");
}

#[test]
fn addresses_are_of_the_right_kind() {
    let long = format!("wss://example.org/{}", "a".repeat(URL_BYTES_MAX));
    let refused = [
        ("", "no '://'"),
        ("example.org", "no '://'"),
        ("https://example.org/ws", "protocols"),
        ("file:///etc/passwd", "protocols"),
        ("javascript:alert(1)", "no '://'"),
        ("wss:///ws", "no host"),
        ("wss://user:secret@example.org/ws", "user name"),
        ("wss://example.org/ws#x", "a character that no URL has"),
        ("wss://example.org/a b", "a character that no URL has"),
        ("wss://example.org/\r\n", "a character that no URL has"),
        ("wss://example.org:port/ws", "port"),
        (&long, "longer than 2048"),
    ];
    for (url, why) in refused {
        assert_refused(&with("trackers", json!([url])), why);
    }
    assert_refused(&with("sources", json!(["wss://example.org/"])), "protocols");
    assert_refused(&with("hashes", json!(["wss://example.org/"])), "protocols");
    assert_refused(&with("hashes", json!(vec!["https://example.org/"; 17])), "17 addresses of the hash list");
    assert_refused(&with("trackers", json!(vec!["wss://example.org/ws"; 17])), "17 trackers; the most is 16");
    assert_refused(&with("sources", json!(vec!["https://example.org/"; 17])), "17 sources; the most is 16");
}

#[test]
fn times_are_in_order() {
    let active = |from: Value, until: Value| {
        let mut manifest = with("active_from_ms", from);
        manifest["active_until_ms"] = until;
        parse(&manifest)
    };
    assert!(active(json!(5), json!(6)).is_ok());
    assert!(active(json!(null), json!(6)).is_ok());
    assert!(active(json!(5), json!(null)).is_ok());
    assert_eq!(active(json!(5), json!(5)).unwrap_err(), ManifestError::Active);
    assert_eq!(active(json!(6), json!(5)).unwrap_err(), ManifestError::Active);
    assert_eq!(active(json!(u64::MAX), json!(null)).unwrap_err(), ManifestError::Active);
    assert_eq!(active(json!(1), json!(MOMENT_MS_MAX + 1)).unwrap_err(), ManifestError::Active);
}

/// Any JSON, with some of the names that mean something.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0_u64..200).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(Value::from(ID)),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let name = prop_oneof![
            "[a-z_]{1,8}",
            prop::sample::select(vec![
                "path",
                "size_bytes",
                "media_type",
                "offset_bytes",
                "len_bytes",
                "priority",
                "files",
                "segments",
            ])
            .prop_map(str::to_owned),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..8).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(Manifest::parse(&bytes));
    }

    #[test]
    fn no_json_makes_it_panic(
        value in any_json(),
        field in prop::sample::select(vec![
            "pleach", "id", "size_bytes", "name", "files", "segments", "trackers", "sources", "hashes",
            "active_from_ms",
            "required",
        ]),
    ) {
        drop(parse(&value));
        if let Ok(manifest) = parse(&with(field, value)) {
            prop_assert_eq!(Manifest::parse(manifest.as_bytes()).unwrap().digest(), manifest.digest());
        }
    }

    /// A path that was accepted stays below the folder it is joined to, whatever it is made of.
    #[test]
    fn accepted_paths_stay_inside(path in "[a.:/\\\\ \\x00A-C\u{202e}]{1,12}") {
        if parse(&with_paths(&[&path])).is_ok() {
            let inside = std::path::Path::new(&path).components();
            prop_assert!(inside.clone().all(|part| matches!(part, std::path::Component::Normal(_))));
            prop_assert_eq!(inside.count(), path.split('/').count());
        }
    }
}
