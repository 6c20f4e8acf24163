//! The mapping: what goes where in Zoho, whether it fits, and a trial of a changed one.

mod trial;
mod view;

use std::sync::Arc;

use askama::Template;
use poem::{
    handler,
    web::{Data, Form, Html},
};
use serde::Deserialize;

pub(super) use self::trial::value_text;
use self::{
    trial::Trial,
    view::{CheckResult, MappingView},
};
use super::{
    error::PageError,
    frame::Frame,
    session::{Operator, SignedIn},
    words,
};
use crate::{
    api::Context,
    delivery::Destination as _,
    limits,
    model::Kind,
    zoho::{destination::Zoho, mapping::Mapping},
};

const ADDRESS: &str = "/mapping";

#[derive(Template)]
#[template(path = "mapping.html")]
struct MappingPage {
    frame: Frame,
    /// None without a section `[zoho]`.
    mapping: Option<MappingView>,
    checked: Option<CheckResult>,
    /// The outcome of reading the settings again, just now.
    reloaded: Option<Result<String, String>>,
    trial: Option<Trial>,
    /// The text in the editor.
    text: String,
    kinds: Vec<&'static str>,
    /// The kind chosen for the trial; none for all.
    kind: Option<Kind>,
    /// How many records a trial reads at most.
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
        let zoho = context.zoho();
        let mapping = zoho.as_deref().map(Zoho::mapping);
        Self {
            frame: Frame::new("Mapping", ADDRESS, who),
            text: mapping.map(Mapping::text).unwrap_or_default().to_owned(),
            mapping: mapping.map(MappingView::new),
            checked: None,
            reloaded: None,
            trial: None,
            kinds: Kind::ALL.map(Kind::as_str).to_vec(),
            kind: None,
            records: words::number(limits::DRY_RUN_RECORDS),
            // The form's encoding takes three or more bytes for each line end, quote and umlaut.
            file_kib: limits::CONSOLE_FORM_BYTES / 2 / 1024,
        }
    }

    fn is_chosen(&self, kind: &str) -> bool {
        self.kind.is_some_and(|chosen| chosen.as_str() == kind)
    }
}

#[handler]
pub(super) async fn page(who: SignedIn, context: Data<&Arc<Context>>) -> Result<Html<String>, PageError> {
    Ok(Html(MappingPage::new(&who, &context).render()?))
}

/// Compares the mapping in use with Zoho. Only for operators, because it costs API credits.
#[handler]
pub(super) async fn check(who: Operator, context: Data<&Arc<Context>>) -> Result<Html<String>, PageError> {
    let zoho = context.zoho().ok_or(PageError::NotFound)?;
    let mut html = MappingPage::new(&SignedIn(who.0), &context);
    let checked = CheckResult::new(zoho.findings().await);
    if checked.fits() {
        context.store.save_check(Zoho::NAME, context.clock.now()).await?;
    }
    html.checked = Some(checked);
    Ok(Html(html.render()?))
}

/// Reads the settings again: configuration and mapping file.
#[handler]
pub(super) async fn reload(who: Operator, context: Data<&Arc<Context>>) -> Result<Html<String>, PageError> {
    let outcome = context.reloading.request().await;
    let mut html = MappingPage::new(&SignedIn(who.0), &context);
    html.reloaded = Some(outcome.map(|reloaded| reloaded.sentence()));
    Ok(Html(html.render()?))
}

/// Tries a changed mapping. Sends nothing to Zoho and stores nothing.
#[handler]
pub(super) async fn attempt(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<TrialForm>,
) -> Result<Html<String>, PageError> {
    let zoho = context.zoho().ok_or(PageError::NotFound)?;
    let mut html = MappingPage::new(&SignedIn(who.0), &context);
    // Browsers send CRLF line ends.
    html.text = form.mapping.replace("\r\n", "\n");
    html.kind = form.kind.and_then(|kind| kind.parse().ok());
    html.trial = Some(Trial::new(&zoho, &context.store, &html.text, html.kind).await?);
    Ok(Html(html.render()?))
}
