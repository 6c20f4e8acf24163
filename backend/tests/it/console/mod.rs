//! The console: who gets in, and what its pages show and do.

mod alerts;
mod logs;
mod mapping;
mod overview;
mod people;
mod security;
mod sites;

/// Every page of the navigation.
const PAGES: [&str; 12] = [
    "/",
    "/attention",
    "/adoptions",
    "/brake",
    "/parity",
    "/alerts",
    "/people",
    "/records",
    "/events",
    "/attempts",
    "/sites",
    "/mapping",
];
