//! `souk_fuzz::access_token` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| souk_fuzz::access_token(data));
