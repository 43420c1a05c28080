//! Runs one path: what `make bench-check` counts the instructions of.
//!
//! `counts` lists the paths; `counts PATH` runs one twice, as the first run finds nothing in place. Around the second one
//! the parent of the process is asked for, which nobody else does: callgrind counts from one such call to the next.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a tool that is to stop where it fails"
)]

#[path = "../../benches/files/mod.rs"]
mod files;
#[path = "../../../core/benches/images/mod.rs"]
mod images;
mod of_files;
mod of_frames;

use dicoxide_core::CpuLevel;

/// What one path does, on input that is made before.
type Path = Box<dyn FnMut()>;
/// Its name, and how its input is made.
type Named = (&'static str, fn() -> Path);

fn main() {
    let paths = of_frames::PATHS.iter().chain(of_files::PATHS);
    let Some(wanted) = std::env::args().nth(1) else {
        println!("{}", CpuLevel::best().name());
        paths.for_each(|(name, _)| println!("{name}"));
        return;
    };
    let (_, made) = paths.into_iter().find(|(name, _)| *name == wanted).expect("a path that is listed");
    let mut run = made();
    run();
    mark();
    run();
    mark();
}

/// Where callgrind ends a count.
fn mark() {
    #[cfg(unix)]
    std::hint::black_box(std::os::unix::process::parent_id());
}
