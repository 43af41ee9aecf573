//! `souk_fuzz::product_file` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| souk_fuzz::product_file(data));
