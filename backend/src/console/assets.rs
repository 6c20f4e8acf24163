//! Embedded styles and scripts. `vendor` holds third-party ones, see `backend/assets/vendor/README.md`.

use std::sync::LazyLock;

use poem::{
    IntoResponse, Request, Response, handler,
    http::{StatusCode, header},
    web::Path,
};

use crate::secret;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal: $type:literal = $file:literal,)*) => {
        &[$(Asset { name: $name, content_type: $type, bytes: include_bytes!(concat!("../../assets/", $file)) }),*]
    };
}

static ASSETS: &[Asset] = assets! {
    "console.css": "text/css; charset=utf-8" = "console.css",
    "console.js": "text/javascript; charset=utf-8" = "console.js",
    "htmx.js": "text/javascript; charset=utf-8" = "vendor/htmx.min.js",
    "hx-sse.js": "text/javascript; charset=utf-8" = "vendor/hx-sse.min.js",
    "icon.svg": "image/svg+xml" = "icon.svg",
    "pico.css": "text/css; charset=utf-8" = "vendor/pico.min.css",
    "uplot.css": "text/css; charset=utf-8" = "vendor/uPlot.min.css",
    "uplot.js": "text/javascript; charset=utf-8" = "vendor/uPlot.iife.min.js",
};

/// Changes when any file changes. Pages put it into the addresses, so browsers may cache the files for good.
pub(super) static FINGERPRINT: LazyLock<String> = LazyLock::new(|| {
    let hashes: String = ASSETS.iter().map(|file| secret::hash_bytes(file.bytes)).collect();
    secret::hash(&hashes).chars().take(12).collect()
});

#[handler]
pub(super) fn asset(Path(name): Path<String>, request: &Request) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let current = request.uri().query().is_some_and(|query| query == FINGERPRINT.as_str());
    let keep = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
    Response::builder().content_type(asset.content_type).header(header::CACHE_CONTROL, keep).body(asset.bytes)
}
