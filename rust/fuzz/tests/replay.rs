//! What fuzzers found, and what they start from: every file of `corpus/` and `regressions/` is tried, without any fuzzer.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "a test that is to stop where it fails")]

use dicoxide_fuzz::TARGETS;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[test]
fn what_was_found_once_holds() {
    for target in TARGETS {
        let mut files = 0;
        for kind in ["corpus", "regressions"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target.name);
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                let held = catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes)));
                assert!(held.is_ok(), "{}", path.display());
                files += 1;
            }
        }
        println!("{}: {files} files", target.name);
        assert!(files > 0, "{} has no corpus", target.name);
    }
}
