#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| thebot_lint_fuzz::config(data));
