//! Feeds `portcullis_fuzz::settings` to libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::settings(data));
