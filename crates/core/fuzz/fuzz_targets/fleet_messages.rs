#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_core_fuzz::fleet_messages(data));
