//! Runs every target on its files in `corpus/` (inputs that fuzzers start from) and `regressions/` (inputs that failed
//! once), without a fuzzer.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "a test fails by panicking")]

use dicoxide_fuzz::TARGETS;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[test]
fn targets_corpus_and_regressions_hold() {
    for target in TARGETS {
        let mut file_count = 0;
        for folder in ["corpus", "regressions"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target.name);
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                let result = catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes)));
                assert!(result.is_ok(), "{}", path.display());
                file_count += 1;
            }
        }
        println!("{}: {file_count} files", target.name);
        assert!(file_count > 0, "{} has no corpus", target.name);
    }
}
