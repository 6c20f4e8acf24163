//! The console: who gets in, and what its pages show and do.

mod overview;
mod security;

/// Every page of the navigation.
const PAGES: [&str; 1] = ["/"];
