//! What goes where in Zoho: the mapping in words, compared with Zoho, and a changed one tried out.

mod tried;
mod view;

use std::sync::Arc;

use askama::Template;
use poem::{
    handler,
    web::{Data, Form, Html},
};
use serde::Deserialize;

use self::{
    tried::Tried,
    view::{Checked, MappingView},
};
use super::{
    error::PageError,
    frame::Frame,
    session::{Operator, SignedIn},
    words,
};
use crate::{api::Context, limits, model::Kind, zoho::mapping::Mapping};

const ADDRESS: &str = "/mapping";

#[derive(Template)]
#[template(path = "mapping.html")]
struct MappingPage {
    frame: Frame,
    /// None when there is no Zoho.
    mapping: Option<MappingView>,
    checked: Option<Checked>,
    tried: Option<Tried>,
    /// What stands in the editor.
    text: String,
    kinds: Vec<&'static str>,
    /// The kind that was tried.
    kind: Option<Kind>,
    /// How many records a dry run looks at.
    records: String,
    file_kib: usize,
}

#[derive(Deserialize)]
pub(super) struct TrialForm {
    mapping: String,
    kind: Option<String>,
}

impl MappingPage {
    fn new(who: &SignedIn, context: &Context) -> Self {
        let mapping = context.zoho.as_ref().map(|zoho| zoho.mapping());
        Self {
            frame: Frame::new("Mapping", ADDRESS, who),
            text: mapping.map(Mapping::text).unwrap_or_default().to_owned(),
            mapping: mapping.map(MappingView::new),
            checked: None,
            tried: None,
            kinds: Kind::ALL.map(Kind::as_str).to_vec(),
            kind: None,
            records: words::number(limits::DRY_RUN_RECORDS),
            // On its way each line end, quote and umlaut takes three bytes and more.
            file_kib: limits::CONSOLE_FORM_BYTES / 2 / 1024,
        }
    }

    /// Whether this kind was tried.
    fn is_tried(&self, kind: &str) -> bool {
        self.kind.is_some_and(|tried| tried.as_str() == kind)
    }
}

#[handler]
pub(super) async fn page(who: SignedIn, context: Data<&Arc<Context>>) -> Result<Html<String>, PageError> {
    Ok(Html(MappingPage::new(&who, &context).render()?))
}

/// Compares the mapping in use with Zoho. It takes an operator, because it costs API credits.
#[handler]
pub(super) async fn check(who: Operator, context: Data<&Arc<Context>>) -> Result<Html<String>, PageError> {
    let zoho = context.zoho.as_ref().ok_or(PageError::NotFound)?;
    let mut html = MappingPage::new(&SignedIn(who.0), &context);
    html.checked = Some(Checked::new(zoho.findings().await));
    Ok(Html(html.render()?))
}

/// Tries a changed mapping. Nothing is sent, and nothing is stored.
#[handler]
pub(super) async fn attempt(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<TrialForm>,
) -> Result<Html<String>, PageError> {
    let zoho = context.zoho.as_ref().ok_or(PageError::NotFound)?;
    let mut html = MappingPage::new(&SignedIn(who.0), &context);
    // Browsers send the lines of a text with carriage returns.
    html.text = form.mapping.replace("\r\n", "\n");
    html.kind = form.kind.and_then(|kind| kind.parse().ok());
    html.tried = Some(Tried::new(zoho, &context.store, &html.text, html.kind).await?);
    Ok(Html(html.render()?))
}
