//! What goes wrong, as a page: what it is, and what to do.

use askama::Template;
use poem::{
    Error, IntoResponse, Response,
    error::{MethodNotAllowedError, NotFoundError, ParsePathError, ResponseError},
    http::StatusCode,
    web::Html,
};

use super::assets::FINGERPRINT;
use crate::store::StoreError;

/// Why a page cannot be shown, or an action not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// There is nothing at this address.
    #[error("There is no such page, or no longer what it showed.")]
    NotFound,
    /// The token allows to read only.
    #[error("Your token allows to look at everything, but not to act. Sign in with a token of scope \"operate\".")]
    Forbidden,
    /// Another site's page asked for an action.
    #[error(
        "This action did not come from a page of this console, so nothing was done. Open the console and try again."
    )]
    CrossSite,
    /// What was sent is too long.
    #[error("What was sent is too long.")]
    TooLarge,
    /// What was sent is not understood: what is wrong with it.
    #[error("{0}")]
    Bad(String),
    /// The database.
    #[error("The database does not answer. Nothing is lost; try again. The log has its message.")]
    Store(#[from] StoreError),
    /// A page could not be made.
    #[error("This page could not be made. The log has more.")]
    Page(#[from] askama::Error),
    /// Anything else.
    #[error("Something went wrong. The log has more.")]
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
    /// Of an error of the framework, whose words may repeat what was sent.
    pub(super) fn of_framework(error: &Error) -> Self {
        let unknown = error.is::<NotFoundError>() || error.is::<ParsePathError>();
        if unknown || error.is::<MethodNotAllowedError>() {
            return Self::NotFound;
        }
        match error.status().is_client_error() {
            true => Self::Bad("What was sent is not understood.".to_owned()),
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
            Self::Store(error) => tracing::error!(%error, "a page could not be made: the database"),
            Self::Page(error) => tracing::error!(%error, "a page could not be made"),
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
