//! The console: who gets in, and what its pages show and do.

mod overview;
mod people;
mod security;

/// Every page of the navigation.
const PAGES: [&str; 4] = ["/", "/attention", "/people", "/records"];
