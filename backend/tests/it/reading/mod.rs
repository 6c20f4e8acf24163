//! The reading API.

mod bounded;
mod fair;
mod feed;
mod filters;
mod pages;
mod records;
mod sites;
