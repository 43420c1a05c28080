#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    (dicoxide_fuzz::target("rendering").expect("a target").run)(bytes);
});
