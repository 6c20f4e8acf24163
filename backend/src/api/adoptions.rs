//! Adoptions: the inbox of contacts that accounts ask for, what was adopted, and the take-over between two accounts.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::Example,
};
use serde_json::Value;

use super::{
    Context, Tag,
    answer::Answer,
    auth::OperatorToken,
    body::{JsonText, read_fields},
    decisions::{Decided, Numbers, Undecided},
    destinations,
    failure::{DestinationQuery, Failure, OperatorDecision, OperatorQuery},
    parameters::{Limit, List, list, record_reference},
    problem::{Code, Problem},
};
use crate::{
    limits,
    model::{AdoptionState, Field, FieldError, FieldErrorCode, Kind, RecordKey},
    store::{AdoptionDecision, AdoptionFilter, Page, Store, TakeOverRefusal},
    views::{AdoptionPreview, AdoptionView, PlanError, Renderer, TakeOverView, account},
};

pub(super) struct Operations;

/// A person's decision about adoptions.
#[derive(Object)]
#[oai(example)]
struct DecisionRequest {
    /// `approve`: the account may adopt the contact, also if this was refused or undone before. `refuse`: it must not.
    /// `undo`: the contact gets its values back, and the account does not get it again.
    decision: AdoptionDecision,
    /// The numbers of the adoptions: each is decided alone.
    numbers: Vec<i64>,
}

impl Example for DecisionRequest {
    fn example() -> Self {
        Self { decision: AdoptionDecision::Approve, numbers: vec![7] }
    }
}

/// Two accounts of one person.
#[derive(Object)]
#[oai(example)]
struct TakeOverRequest {
    /// The account that writes the contact until now: `<site>:<Moodle id>`.
    from: String,
    /// The account that writes it from then on.
    to: String,
}

impl Example for TakeOverRequest {
    fn example() -> Self {
        Self { from: "college:3".to_owned(), to: "college:8".to_owned() }
    }
}

impl Field for AdoptionDecision {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        String::parse(value)?.parse().map_err(|_| FieldErrorCode::UnknownValue)
    }
}

fn unavailable(error: PlanError) -> Problem {
    match error {
        PlanError::Store(error) => error.into(),
        PlanError::Unavailable(reason) => Problem::with_detail(Code::DestinationUnavailable, reason),
    }
}

/// The accounts that these texts name, in a query or a body.
async fn accounts(
    store: &Store,
    (from, to): (&str, &str),
    unknown: impl Fn(&str) -> Problem,
) -> Result<(RecordKey, RecordKey), Problem> {
    let from = account(store, from).await?.ok_or_else(|| unknown("from"))?;
    let to = account(store, to).await?.ok_or_else(|| unknown("to"))?;
    Ok((from, to))
}

#[OpenApi(prefix_path = "/api/v1/destinations", tag = "Tag::Delivery")]
impl Operations {
    /// List adoptions
    ///
    /// The newest first. With `state=waiting`: the inbox of those about whom a person must decide.
    #[oai(path = "/:name/adoptions", method = "get", operation_id = "list_adoptions")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter")]
    async fn list(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        /// Only in this state.
        state: Query<Option<AdoptionState>>,
        /// Only of this account: `<site>:<Moodle id>`.
        user: Query<Option<String>>,
        /// Maximum items per page.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<List<AdoptionView>>, Failure<OperatorQuery>> {
        destinations::find(&context, &name).await?;
        let wrong = |_| {
            let detail = "Send the next_cursor of the previous answer, unchanged.";
            Problem::parameter("cursor", FieldErrorCode::UnknownValue, detail)
        };
        let before = cursor.0.map(|cursor| cursor.parse().map_err(wrong)).transpose()?;
        let limit = limit.0.map_or(limits::PAGE_ROWS_DEFAULT, |limit| limit.0).into();
        let user = record_reference(&context.store, "user", None, user.0).await?;
        let account = user.map(|(site_id, moodle_id)| RecordKey { kind: Kind::User, site_id, moodle_id });
        let filter = AdoptionFilter { state: state.0, account };
        let rows = context.store.adoptions(&name, filter, before, limit + 1).await?;
        let renderer = Renderer::new(&context.store).await?;
        let page = Page::cut(rows, limit, |adoption| adoption.id);
        Ok(list(page, |adoption| AdoptionView::new(&renderer, &adoption)))
    }

    /// Get an adoption
    ///
    /// Includes what a decision would write into the contact, field by field. Reads the contact from the destination,
    /// writes nothing.
    #[oai(path = "/:name/adoptions/:number", method = "get", operation_id = "get_adoption")]
    async fn get(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        /// The adoption's number.
        number: Path<i64>,
    ) -> Result<Answer<AdoptionPreview>, Failure<DestinationQuery>> {
        destinations::find(&context, &name).await?;
        let not_found = || Problem::with_detail(Code::NotFound, "There is no adoption with this number.");
        let adoption = context.store.adoption(&name, number.0).await?.ok_or_else(not_found)?;
        let zoho = destinations::zoho(&context, &name)?;
        Ok(Answer(AdoptionPreview::read(&zoho, &context.store, &adoption).await.map_err(unavailable)?))
    }

    /// Decide about adoptions
    ///
    /// Approves, refuses or undoes each of them. The next delivery carries it out.
    #[oai(path = "/:name/adoptions", method = "post", operation_id = "decide_adoptions")]
    async fn decide(
        &self,
        token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        body: JsonText<DecisionRequest>,
    ) -> Result<Answer<Decided>, Failure<OperatorDecision>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        destinations::find(&context, &name).await?;
        let (decision, Numbers(numbers)) = read_fields(&text, |fields| {
            let (decision, numbers) =
                (fields.required::<AdoptionDecision>("decision"), fields.required::<Numbers>("numbers"));
            Some((decision?, numbers?))
        })?;
        let mut answer = Decided { decided: Vec::new(), undecided: Vec::new() };
        for number in numbers {
            let by = (decision, token.0.name.as_str());
            match context.store.decide_adoption(&name, number, by, context.clock.now()).await? {
                Ok(_) => answer.decided.push(number),
                Err(refusal) => answer.undecided.push(Undecided { number, reason: refusal.to_string() }),
            }
        }
        tracing::info!(%decision, adoptions = answer.decided.len(), "an operator decided about adoptions");
        context.due.notify_one();
        Ok(Answer(answer))
    }

    /// Preview a take-over
    ///
    /// What would change in the contact of the account `from`, if the account `to` of the same person took it over.
    /// Reads the contact from the destination, writes nothing.
    #[oai(path = "/:name/take-over", method = "get", operation_id = "preview_take_over")]
    async fn preview_take_over(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        /// The account that writes the contact until now: `<site>:<Moodle id>`.
        from: Query<String>,
        /// The account that would write it: `<site>:<Moodle id>`.
        to: Query<String>,
    ) -> Result<Answer<TakeOverView>, Failure<OperatorDecision>> {
        destinations::find(&context, &name).await?;
        let unknown =
            |name: &str| Problem::parameter(name, FieldErrorCode::UnknownValue, "There is no account with this id.");
        let (from, to) = accounts(&context.store, (from.as_str(), to.as_str()), unknown).await?;
        let refused = |refusal: TakeOverRefusal| Problem::with_detail(Code::NotPossible, refusal.to_string());
        let contact = context.store.may_move_contact(&name, from, to).await?.map_err(refused)?;
        let zoho = destinations::zoho(&context, &name)?;
        Ok(Answer(TakeOverView::read(&zoho, &context.store, (from, to), contact).await.map_err(unavailable)?))
    }

    /// Take over a contact
    ///
    /// For one person with two accounts in one site: the account `to` writes the contact of the account `from` from now
    /// on, which is linked to it. Enrolments and grades of both refer to it. The same in the other direction takes it
    /// back.
    #[oai(path = "/:name/take-over", method = "post", operation_id = "take_over_contact")]
    async fn take_over(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        body: JsonText<TakeOverRequest>,
    ) -> Result<Answer<TakeOverView>, Failure<OperatorDecision>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        destinations::find(&context, &name).await?;
        let (from, to) = read_fields(&text, |fields| {
            let (from, to) = (fields.required::<String>("from"), fields.required::<String>("to"));
            Some((from?, to?))
        })?;
        let unknown =
            |name: &str| Problem::validation(vec![FieldError::new(format!("/{name}"), FieldErrorCode::UnknownValue)]);
        let (old, new) = accounts(&context.store, (from.as_str(), to.as_str()), unknown).await?;
        let refused = |refusal: TakeOverRefusal| Problem::with_detail(Code::NotPossible, refusal.to_string());
        let moved = context.store.move_contact(&name, old, new, context.clock.now()).await?;
        let remote_id = moved.map_err(refused)?;
        tracing::info!("an operator moved a contact to another account of the same person");
        context.due.notify_one();
        Ok(Answer(TakeOverView { from, to, remote_id, changes: Vec::new(), note: None }))
    }
}
