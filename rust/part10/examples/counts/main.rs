//! Runs one code path, whose instructions `make bench-check` counts.
//!
//! `counts` lists the paths. `counts PATH` runs one twice: the first run fills caches and allocates scratch buffers.
//! The second run is between two calls of getppid, which no other code calls: callgrind counts the instructions
//! between.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::expect_used, reason = "a measurement that fails must stop")]

#[path = "../../benches/files/mod.rs"]
mod files;
#[path = "../../../core/benches/images/mod.rs"]
mod images;
mod of_files;
mod of_frames;
mod of_rendering;

use dicoxide_core::CpuLevel;

/// A code path with its input.
type Path = Box<dyn FnMut()>;
/// Name of a path, and a function that prepares its input.
type Named = (&'static str, fn() -> Path);

fn main() {
    let paths = of_frames::PATHS.iter().chain(of_rendering::PATHS).chain(of_files::PATHS);
    let Some(wanted) = std::env::args().nth(1) else {
        println!("{}", CpuLevel::best().name());
        paths.for_each(|(name, _)| println!("{name}"));
        return;
    };
    let (_, prepare) = paths.into_iter().find(|(name, _)| *name == wanted).expect("a listed path");
    let mut run = prepare();
    run();
    mark();
    run();
    mark();
}

/// Ends a count of callgrind.
fn mark() {
    #[cfg(unix)]
    std::hint::black_box(std::os::unix::process::parent_id());
}
