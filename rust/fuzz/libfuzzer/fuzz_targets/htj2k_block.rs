#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    (dicoxide_fuzz::target("htj2k_block").expect("a target").run)(bytes);
});
