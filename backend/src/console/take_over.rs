//! Moving a contact to another account of the same person: first what would change, then the deed.

use std::sync::Arc;

use askama::Template;
use poem::{
    IntoResponse, Response, handler,
    web::{Data, Form, Html, Path},
};
use serde::Deserialize;

use super::{
    adoptions::shown,
    done::Done,
    error::PageError,
    frame::Frame,
    lines,
    session::{Operator, SignedIn},
};
use crate::{
    api::Context,
    delivery::Destination as _,
    model::Kind,
    store::TakeOverRefusal,
    views::{PlanError, TakeOverView, account},
    zoho::destination::Zoho,
};

#[derive(Template)]
#[template(path = "take_over.html")]
struct TakeOverPage {
    frame: Frame,
    /// The record of the new account.
    id: String,
    from: String,
    to: String,
    contact: String,
    changes: Vec<(String, String, String)>,
    note: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct TakeOverForm {
    /// The old account, as in `college:3`.
    from: String,
    /// Set by the page that shows what would change.
    confirmed: Option<String>,
}

#[handler]
pub(super) async fn take_over(
    who: Operator,
    context: Data<&Arc<Context>>,
    Path(id): Path<String>,
    Form(TakeOverForm { from, confirmed }): Form<TakeOverForm>,
) -> Result<Response, PageError> {
    let (_, to) = lines::find_record(&context, &id).await?;
    if to.kind != Kind::User {
        return Err(PageError::NotFound);
    }
    let unknown = || PageError::Bad("There is no such account. Write it as in college:3.".to_owned());
    let from = account(&context.store, &from).await?.ok_or_else(unknown)?;
    let refused = |refusal: TakeOverRefusal| PageError::Bad(format!("The contact cannot be taken over: {refusal}."));
    if confirmed.is_some() {
        context.store.move_contact(Zoho::NAME, from, to, context.clock.now()).await?.map_err(refused)?;
        tracing::info!(token = who.0.token_id, "an operator moved a contact to another account of the same person");
        context.due.notify_one();
        return Ok(Done::TakenOver.then(&format!("/records/{id}")));
    }
    let contact = context.store.may_move_contact(Zoho::NAME, from, to).await?.map_err(refused)?;
    let zoho = context.zoho().ok_or(PageError::NotFound)?;
    let view = match TakeOverView::read(&zoho, &context.store, (from, to), contact).await {
        Ok(view) => view,
        Err(PlanError::Unavailable(reason)) => return Err(PageError::Bad(format!("Zoho did not answer: {reason}"))),
        Err(PlanError::Store(error)) => return Err(error.into()),
    };
    let frame = Frame::new("Take over a contact", "/records", &SignedIn(who.0));
    let TakeOverView { from, to, remote_id, changes, note } = view;
    Ok(Html(TakeOverPage { frame, id, from, to, contact: remote_id, changes: shown(changes), note }.render()?)
        .into_response())
}
