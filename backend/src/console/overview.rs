//! Is all well? The first page.

use std::sync::Arc;

use askama::Template;
use poem::{
    handler,
    web::{Data, Html},
};

use super::{error::PageError, frame::Frame, session::SignedIn};
use crate::api::Context;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
}

#[handler]
pub(super) async fn page(who: SignedIn, context: Data<&Arc<Context>>) -> Result<Html<String>, PageError> {
    let _ = context;
    Ok(Html(OverviewPage { frame: Frame::new("Overview", "/", &who) }.render()?))
}
