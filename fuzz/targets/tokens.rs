//! Feeds `portcullis_fuzz::tokens` to libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::tokens(data));
