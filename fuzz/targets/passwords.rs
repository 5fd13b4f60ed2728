//! Feeds `portcullis_fuzz::passwords` to libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::passwords(data));
