//! `souk_fuzz::letter_header` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| souk_fuzz::letter_header(data));
