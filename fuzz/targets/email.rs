//! Feeds `portcullis_fuzz::email` to libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::email(data));
