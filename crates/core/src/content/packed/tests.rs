use serde_json::{Value, json};

use super::*;
use crate::content::{Manifest, ManifestBuilder};
use crate::ids::ContentId;

fn builder() -> ManifestBuilder {
    ManifestBuilder::new(ContentId::from_bytes([1; 32])).file(PACKED_PATH, 100, None)
}

fn sealed() -> Packed {
    let password = Argon2id::new(65_536, 3, 1, &[7; 16]).unwrap();
    Packed::Sealed { sealed: vec![9; 40], password: Some(password) }
}

/// A good manifest of a sealed content, to be spoilt.
fn good() -> Value {
    serde_json::from_slice(builder().packed(&sealed()).build().unwrap().as_bytes()).unwrap()
}

fn assert_refused(manifest: &Value, why: &str) {
    let error = Manifest::parse(manifest.to_string().as_bytes()).expect_err(why).to_string();
    assert!(error.contains(why), "{error:?} should say {why:?}");
}

#[test]
fn it_is_read_as_it_is_written() {
    let clear = Packed::Clear("{ \"name\": [1,  2] }".to_owned());
    for packed in [clear, sealed(), Packed::Sealed { sealed: vec![9; 40], password: None }] {
        let manifest = builder().packed(&packed).build().unwrap();
        assert_eq!(manifest.packed(), Some(&packed));
        let written: Value = serde_json::from_slice(manifest.as_bytes()).unwrap();
        assert_eq!(written["required"], json!(["packed"]));
    }
    assert_eq!(builder().build().unwrap().packed(), None);
}

#[test]
fn what_is_wrong_is_refused() {
    let with = |pointer: &str, value: Value| {
        let mut manifest = good();
        *manifest.pointer_mut(pointer).unwrap() = value;
        manifest
    };
    assert_refused(&with("/packed", json!({})), "an index, or a sealed one");
    assert_refused(&with("/packed", json!({ "index": {}, "sealed": "AAAA" })), "an index, or a sealed one");
    assert_refused(&with("/packed", json!({ "index": {}, "kdf": {} })), "an index, or a sealed one");
    assert_refused(&with("/packed/sealed", json!("no base64url!")), "not base64url");
    assert_refused(&with("/packed/sealed", json!("AAAA")), "too short");
    assert_refused(&with("/packed/kdf", json!({ "scrypt": {} })), "does not know");
    assert_refused(&with("/packed/kdf/argon2id/salt", json!("AAAA")), "beyond the limits");
    assert_refused(&with("/packed/kdf/argon2id/salt", json!("?")), "not base64url");
    for (field, value) in
        [("memory_kib", 7), ("memory_kib", 262_145), ("passes", 0), ("passes", 17), ("lanes", 0), ("lanes", 5)]
    {
        assert_refused(&with(&format!("/packed/kdf/argon2id/{field}"), json!(value)), "beyond the limits");
    }
    assert_refused(&with("/files/0/path", json!("secret plans.pdf")), "one file, called 'packed'");
    let mut named = good();
    named["name"] = json!("Secret plans");
    assert_refused(&named, "one file, called 'packed'");
}

#[test]
fn logs_show_nothing_of_what_is_sealed() {
    assert_eq!(format!("{:?}", Packed::Clear("{\"name\":\"Plans\"}".into())), "Clear(16 bytes)");
    assert!(format!("{:?}", sealed()).starts_with("Sealed(40 bytes"));
}
