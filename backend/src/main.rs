//! The binary: everything is in the library.

use std::process::ExitCode;

/// A tenth of the server's time went into the system's allocator: many small values, freed by another thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    backend_sync::cli::main()
}
