//! The reading API.

mod feed;
mod filters;
mod pages;
mod records;
mod sites;
