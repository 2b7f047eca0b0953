#![no_main]

#[allow(dead_code, reason = "one of three targets")]
#[path = "../src/packed.rs"]
mod packed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| packed::packed_segment(data));
