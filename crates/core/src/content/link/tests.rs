use proptest::prelude::*;

use super::*;

const ID: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

fn parse(text: &str) -> Result<Link, LinkError> {
    text.parse()
}

#[test]
fn a_link_tells_where_everything_is() {
    let link = parse(&format!("https://example.org/share/{ID}#m1.AAECAwQFBgcICQoLDA0ODw")).unwrap();
    assert_eq!(link.base(), "https://example.org/share");
    assert_eq!(link.id().to_string(), ID);
    let digest = "000102030405060708090a0b0c0d0e0f";
    assert_eq!(link.manifest().unwrap().to_string(), digest);
    assert_eq!(link.manifest_url(), format!("https://example.org/share/{ID}.pleach?m={digest}"));
    assert_eq!(link.tracker_url(), "wss://example.org/share/ws");
    assert_eq!(link.page_url(), format!("https://example.org/share/{ID}"));
    assert_eq!(link.to_string(), format!("https://example.org/share/{ID}#m1.AAECAwQFBgcICQoLDA0ODw"));
}

#[test]
fn a_link_may_be_bare() {
    let link = parse(&format!("http://127.0.0.1:8080/{ID}")).unwrap();
    assert_eq!((link.manifest(), link.key()), (None, None));
    assert_eq!(link.manifest_url(), format!("http://127.0.0.1:8080/{ID}.pleach"));
    assert_eq!(link.tracker_url(), "ws://127.0.0.1:8080/ws");
    assert_eq!(link.to_string(), link.page_url());
}

#[test]
fn hosts_of_all_kinds_are_read() {
    for host in ["localhost", "[::1]", "[2001:db8::1]:443", "xn--e1afmkfd.example", "пример.example:65535", "a.b.c:1"]
    {
        let link = parse(&format!("http://{host}/{ID}")).unwrap();
        assert_eq!(link.base(), format!("http://{host}"));
    }
}

#[test]
fn the_key_is_kept_but_not_told_to_logs() {
    let text = format!("https://example.org/{ID}#m1.AAECAwQFBgcICQoLDA0ODw&k1.secret-KEY_7");
    let link = parse(&text).unwrap();
    assert_eq!(link.key(), Some("secret-KEY_7"));
    assert_eq!(link.to_string(), text);
    assert!(!format!("{link:?}").contains("secret"));
    assert!(!link.page_url().contains("secret") && !link.manifest_url().contains("secret"));
}

#[test]
fn what_others_add_is_passed_over() {
    let plain = parse(&format!("https://example.org/{ID}#m1.AAECAwQFBgcICQoLDA0ODw")).unwrap();
    for text in [
        format!("  HTTPS://Example.ORG/{ID}#m1.AAECAwQFBgcICQoLDA0ODw\n"),
        format!("https://example.org/{}/#m1.AAECAwQFBgcICQoLDA0ODw", ID.to_uppercase()),
        format!("https://example.org/{ID}?utm_source=mail#m1.AAECAwQFBgcICQoLDA0ODw"),
        format!("https://example.org/{ID}#z9.what&m1.AAECAwQFBgcICQoLDA0ODw&&m2.later"),
    ] {
        assert_eq!(parse(&text).as_ref(), Ok(&plain), "{text}");
    }
}

#[test]
fn each_refusal_says_why() {
    let long = format!("https://example.org/{}/{ID}", "a".repeat(LINK_BYTES_MAX));
    let longer_key = format!("https://example.org/{ID}#k1.{}", "k".repeat(129));
    let with_id = |text: &str| text.replace("ID", ID);
    let refused = [
        (String::new(), "not a Pleach link: its address"),
        ("hello".into(), "not a Pleach link: its address"),
        (with_id("ID"), "has no '://'"),
        (with_id("ftp://example.org/ID"), "does not begin with one of the protocols"),
        (with_id("javascript://example.org/ID"), "does not begin with one of the protocols"),
        (with_id("https:///ID"), "has no host"),
        (with_id("https://me@example.org/ID"), "has a user name"),
        (with_id("https://exa mple.org/ID"), "a character that no URL has"),
        (with_id("https://exa\u{202e}mple.org/ID"), "a character that no URL has"),
        (with_id("https://example.org\\evil/ID"), "a character that no URL has"),
        (with_id("https://exam,ple.org/ID"), "host is not valid"),
        (with_id("https://example.org:99999/ID"), "port is not valid"),
        (with_id("https://example.org:/ID"), "port is not valid"),
        (with_id("https://example.org:+80/ID"), "port is not valid"),
        (with_id("https://[::1/ID"), "no ']'"),
        (with_id("https://[]/ID"), "address is not valid"),
        (with_id("https://[::1]x/ID"), "port is not valid"),
        (with_id("https://example.org/../ID"), "'..'"),
        (with_id("https://example.org//ID"), "empty"),
        (with_id("https://example.org/"), "64 hexadecimal digits"),
        ("https://example.org/abc".into(), "64 hexadecimal digits"),
        (with_id("https://example.org/ID0"), "64 hexadecimal digits"),
        (with_id("https://example.org/ID.pleach"), "64 hexadecimal digits"),
        (with_id("https://example.org/ID#m1."), "copied whole"),
        (with_id("https://example.org/ID#m1.AAECAwQFBgcICQoLDA0OD"), "copied whole"),
        (with_id("https://example.org/ID#m1.AAECAwQFBgcICQoLDA0ODx"), "copied whole"),
        (with_id("https://example.org/ID#m1.AAECAwQFBgcICQoLDA0ODw=="), "copied whole"),
        (with_id("https://example.org/ID#m1.AAECAwQFBgcICQoLDA0ODw&m1.AAECAwQFBgcICQoLDA0ODw"), "twice"),
        (with_id("https://example.org/ID#k1."), "not a key"),
        (with_id("https://example.org/ID#k1.a b"), "not a key"),
        (with_id("https://example.org/ID#k1.a&k1.b"), "twice"),
        (longer_key, "not a key"),
        (long, "longer than"),
    ];
    for (text, why) in refused {
        let error = parse(&text).expect_err(&text).to_string();
        assert!(error.contains(why), "{text:?}: {error:?} should say {why:?}");
    }
}

#[test]
fn a_link_is_made_of_a_servers_address() {
    let id = ID.parse().unwrap();
    assert_eq!(Link::new("http://[::1]:80/", id, None).unwrap().page_url(), format!("http://[::1]:80/{ID}"));
    assert!(Link::new("http://example.org/?a", id, None).is_err());
    assert!(Link::new("http://example.org/#a", id, None).is_err());
    assert!(Link::new("example.org", id, None).is_err());
}

proptest! {
    #[test]
    fn a_link_survives_being_written_and_read(
        scheme in "https?",
        host in "[a-z0-9]([a-z0-9.-]{0,20})?",
        port in prop::option::of(0_u16..),
        prefix in prop::collection::vec("[a-zA-Z0-9_~-]{1,9}", 0..4),
        id: [u8; 32],
        digest in prop::option::of(any::<[u8; 16]>()),
        key in prop::option::of("[a-zA-Z0-9_-]{1,60}"),
    ) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let prefix: String = prefix.iter().map(|part| format!("/{part}")).collect();
        let base = format!("{scheme}://{host}{port}{prefix}");
        let manifest = digest.map(ManifestDigest::from_bytes);
        let mut link = Link::new(&base, ContentId::from_bytes(id), manifest).unwrap();
        link.key = key;
        prop_assert_eq!(link.base(), base);
        prop_assert_eq!(link.to_string().parse(), Ok(link));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*", tail in "(https?://)?[a-f0-9/#m1k.&?\\[\\]:@-]{0,90}") {
        drop(parse(&text));
        drop(parse(&tail));
        drop(parse(&format!("https://{text}/{ID}#{text}")));
        drop(parse(&format!("https://example.org/{ID}#m1.{text}&k1.{tail}")));
    }
}
