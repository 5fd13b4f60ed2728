//! Feeds `portcullis_fuzz::bodies` to libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::bodies(data));
