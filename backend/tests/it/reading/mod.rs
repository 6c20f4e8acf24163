//! What readers get.

mod feed;
mod filters;
mod pages;
mod records;
mod sites;
