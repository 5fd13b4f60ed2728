//! Feeds `portcullis_fuzz::passkeys` to libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::passkeys(data));
