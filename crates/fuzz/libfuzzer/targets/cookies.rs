//! `souk_fuzz::cookies` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| souk_fuzz::cookies(data));
