//! The console: who gets in, and what its pages show and do.

mod logs;
mod mapping;
mod overview;
mod security;
mod sites;

/// Every page of the navigation.
const PAGES: [&str; 5] = ["/", "/events", "/attempts", "/sites", "/mapping"];
