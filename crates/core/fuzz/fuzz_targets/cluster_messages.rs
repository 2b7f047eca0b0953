#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_core_fuzz::cluster_messages(data));
