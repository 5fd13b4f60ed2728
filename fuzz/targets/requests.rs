//! Feeds `portcullis_fuzz::requests` to libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::requests(data));
