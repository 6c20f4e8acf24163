//! Errors as pages: what went wrong, and what to do.

use askama::Template;
use poem::{
    Error, IntoResponse, Response,
    error::{MethodNotAllowedError, NotFoundError, ParsePathError, ResponseError},
    http::StatusCode,
    web::Html,
};

use super::assets::FINGERPRINT;
use crate::store::StoreError;

/// Why a page cannot be shown or an action is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// Nothing is at this address.
    #[error("There is no such page, or what it showed no longer exists.")]
    NotFound,
    /// The token has no scope `operate`.
    #[error("Your token is read only. To act, sign in with an API token of scope \"operate\".")]
    Forbidden,
    /// Another site's page requested an action.
    #[error("This action did not come from a page of this console, so nothing was done. Open the console and retry.")]
    CrossSite,
    /// The form exceeds its size limit.
    #[error("The form is too large.")]
    TooLarge,
    /// Invalid input, with what is wrong with it.
    #[error("{0}")]
    Bad(String),
    /// The database failed.
    #[error("The database does not answer. Nothing is lost. Reload the page; the log has the database's message.")]
    Store(#[from] StoreError),
    /// A template failed.
    #[error("This page could not be rendered. The log has details.")]
    Page(#[from] askama::Error),
    /// Anything else.
    #[error("Something went wrong. The log has details.")]
    Internal,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    version: &'static str,
    title: &'static str,
    words: String,
}

impl PageError {
    /// Replaces an error of the framework, whose text may echo the request.
    pub(super) fn of_framework(error: &Error) -> Self {
        let unknown = error.is::<NotFoundError>() || error.is::<ParsePathError>();
        if unknown || error.is::<MethodNotAllowedError>() {
            return Self::NotFound;
        }
        match error.status().is_client_error() {
            true => Self::Bad("The request is not valid.".to_owned()),
            false => Self::Internal,
        }
    }
}

impl ResponseError for PageError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Page(_) | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn as_response(&self) -> Response {
        match self {
            Self::Store(error) => tracing::error!(%error, "could not render a page: the database failed"),
            Self::Page(error) => tracing::error!(%error, "could not render a page"),
            _ => {}
        }
        let title = self.status().canonical_reason().unwrap_or("Error");
        let page = ErrorPage { version: FINGERPRINT.as_str(), title, words: self.to_string() };
        let mut response = Html(page.render().unwrap_or_default()).into_response();
        response.set_status(self.status());
        response
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        self.as_response()
    }
}
