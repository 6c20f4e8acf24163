//! The API contract: the OpenAPI document for programs, Swagger UI for people.

use bytes::Bytes;
use poem::{Response, endpoint::make_sync, get};

/// The OpenAPI document.
pub(super) fn openapi(document: String) -> impl poem::Endpoint {
    constant("application/json", document)
}

/// Swagger UI, self-contained: it loads nothing from the network. `html` is the framework's page with the document
/// `spec` in a script.
pub(super) fn swagger_ui(html: &str, spec: &str) -> impl poem::Endpoint + use<> {
    // The framework does not escape the document: an example that holds "</script>" would end the script.
    let html = html.replace(spec, &spec.replace("</", "<\\/"));
    let head = "<meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">";
    let html = html.replace("<title>Swagger UI</title>", &format!("<title>Backend Sync API</title>{head}"));
    constant("text/html; charset=utf-8", format!("<!DOCTYPE html>{html}"))
}

fn constant(content_type: &'static str, text: String) -> impl poem::Endpoint {
    // Shared, because the page is larger than a megabyte.
    let text = Bytes::from(text);
    get(make_sync(move |_| Response::builder().content_type(content_type).body(text.clone())))
}
