//! Findings: what differs at a destination from what the mapping writes, and what people decide about it.

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
    failure::{DestinationQuery, Failure, OperatorCommand, OperatorQuery},
    parameters::{self, Limit, List, list, record_reference, site_of_body},
    problem::{Code, Problem},
};
use crate::{
    limits,
    model::{Field, FieldErrorCode, FindingSort, FindingState, Kind, RecordKey},
    store::{FindingDecision, FindingFilter, Page, Store},
    views::{FindingView, Renderer, decide_all},
    zoho::destination::ParityError,
};

pub(super) struct Operations;

/// A person's decision about findings.
#[derive(Object)]
#[oai(example, rename = "FindingDecisionRequest")]
struct DecisionRequest {
    /// `restore`: what the mapping writes is written again, a deleted record is created again. `leave`: it stays as it is,
    /// fields until Moodle changes them. `withdraw`: what was left waits for a decision again.
    decision: FindingDecision,
    /// The numbers of the findings: each is decided alone.
    numbers: Vec<i64>,
}

impl Example for DecisionRequest {
    fn example() -> Self {
        Self { decision: FindingDecision::Restore, numbers: vec![7] }
    }
}

/// A person's decision about all open findings that match; all conditions must hold.
#[derive(Object)]
#[oai(example)]
struct DecideAllRequest {
    /// As for single ones; `withdraw` is about those that were left.
    decision: FindingDecision,
    /// Of this kind.
    #[oai(nullable)]
    kind: Option<Kind>,
    /// That differ so.
    #[oai(nullable)]
    sort: Option<FindingSort>,
    /// From the site with this name.
    #[oai(nullable)]
    site: Option<String>,
    /// At most up to this number: what is found later is not decided.
    #[oai(nullable)]
    newest: Option<i64>,
}

impl Example for DecideAllRequest {
    fn example() -> Self {
        Self {
            decision: FindingDecision::Restore,
            kind: Some(Kind::Course),
            sort: Some(FindingSort::Changed),
            site: None,
            newest: Some(19),
        }
    }
}

/// How many findings were decided.
#[derive(Object)]
#[oai(example)]
struct DecidedAll {
    /// The number; those that only people can put right are not among them.
    findings: u64,
}

impl Example for DecidedAll {
    fn example() -> Self {
        Self { findings: 12 }
    }
}

/// A comparison that was asked for.
#[derive(Object)]
#[oai(example)]
struct ProofRequested {
    /// About the API credits that it costs.
    credits: u64,
}

impl Example for ProofRequested {
    fn example() -> Self {
        Self { credits: 33 }
    }
}

impl Field for FindingDecision {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        String::parse(value)?.parse().map_err(|_| FieldErrorCode::UnknownValue)
    }
}

impl Field for FindingSort {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        String::parse(value)?.parse().map_err(|_| FieldErrorCode::UnknownValue)
    }
}

/// The record that the parameter `record` names.
async fn record(store: &Store, text: Option<String>) -> Result<Option<RecordKey>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || Problem::parameter("record", FieldErrorCode::WrongType, "Send kind:site:id as in user:college:3.");
    let (kind, id) = text.split_once(':').ok_or_else(wrong)?;
    let kind: Kind = kind.parse().map_err(|_| wrong())?;
    let found = record_reference(store, "record", None, Some(id.to_owned())).await?;
    Ok(found.map(|(site_id, moodle_id)| RecordKey { kind, site_id, moodle_id }))
}

#[OpenApi(prefix_path = "/api/v1/destinations", tag = "Tag::Delivery")]
impl Operations {
    /// List findings
    ///
    /// What differs at the destination from what the mapping writes, the newest first: changed, deleted, doubled there by
    /// others. With the values on both sides.
    #[oai(path = "/:name/findings", method = "get", operation_id = "list_findings")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter")]
    async fn list(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        /// Only in this state; without it, all but closed ones.
        state: Query<Option<FindingState>>,
        /// Only what differs so.
        sort: Query<Option<FindingSort>>,
        /// Only of this kind.
        kind: Query<Option<Kind>>,
        /// Only of this site.
        site: Query<Option<String>>,
        /// Only of this record: `kind:site:id`.
        record: Query<Option<String>>,
        /// Maximum items per page.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<List<FindingView>>, Failure<OperatorQuery>> {
        destinations::find(&context, &name).await?;
        let store = &context.store;
        let wrong = |_| {
            let detail = "Send the next_cursor of the previous answer, unchanged.";
            Problem::parameter("cursor", FieldErrorCode::UnknownValue, detail)
        };
        let before = cursor.0.map(|cursor| cursor.parse().map_err(wrong)).transpose()?;
        let limit = limit.0.map_or(limits::PAGE_ROWS_DEFAULT, |limit| limit.0).into();
        let site_id = match site.0 {
            Some(name) => Some(parameters::site_id(store, "site", &name).await?),
            None => None,
        };
        let record = self::record(store, record.0).await?;
        let filter = FindingFilter { state: state.0, sort: sort.0, kind: kind.0, site_id, record };
        let rows = store.findings(&name, filter, before, limit + 1).await?;
        let (renderer, now) = (Renderer::new(store).await?, context.clock.now());
        let page = Page::cut(rows, limit, |finding| finding.id);
        Ok(list(page, |finding| FindingView::new(&renderer, &finding, now)))
    }

    /// Get a finding
    ///
    /// With the values on both sides, who changed it there and when, as far as the destination says, and who decided.
    #[oai(path = "/:name/findings/:number", method = "get", operation_id = "get_finding")]
    async fn get(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        /// The finding's number.
        number: Path<i64>,
    ) -> Result<Answer<FindingView>, Failure<OperatorQuery>> {
        destinations::find(&context, &name).await?;
        let not_found = || Problem::with_detail(Code::NotFound, "There is no finding with this number.");
        let finding = context.store.finding(&name, number.0).await?.ok_or_else(not_found)?;
        let renderer = Renderer::new(&context.store).await?;
        Ok(Answer(FindingView::new(&renderer, &finding, context.clock.now())))
    }

    /// Decide about findings
    ///
    /// Restores or leaves each of them, or takes back that it was left. The next delivery carries it out.
    #[oai(path = "/:name/findings", method = "post", operation_id = "decide_findings")]
    async fn decide(
        &self,
        token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        body: JsonText<DecisionRequest>,
    ) -> Result<Answer<Decided>, Failure<OperatorCommand>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        destinations::find(&context, &name).await?;
        let (decision, Numbers(numbers)) = read_fields(&text, |fields| {
            let (decision, numbers) =
                (fields.required::<FindingDecision>("decision"), fields.required::<Numbers>("numbers"));
            Some((decision?, numbers?))
        })?;
        let mut answer = Decided { decided: Vec::new(), undecided: Vec::new() };
        for number in numbers {
            let by = (decision, token.0.name.as_str());
            match context.store.decide_finding(&name, number, by, context.clock.now()).await? {
                Ok(_) => answer.decided.push(number),
                Err(refusal) => answer.undecided.push(Undecided { number, reason: refusal.to_string() }),
            }
        }
        tracing::info!(%decision, findings = answer.decided.len(), "an operator decided about findings");
        context.due.notify_one();
        Ok(Answer(answer))
    }

    /// Decide about many findings
    ///
    /// Decides about all open findings that the body selects, in steps, while deliveries continue. What only people can put
    /// right is passed over.
    #[oai(path = "/:name/findings/all", method = "post", operation_id = "decide_all_findings")]
    async fn decide_all(
        &self,
        token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        body: JsonText<DecideAllRequest>,
    ) -> Result<Answer<DecidedAll>, Failure<OperatorCommand>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        destinations::find(&context, &name).await?;
        let (decision, (kind, sort, site, newest)) = read_fields(&text, |fields| {
            let decision = fields.required::<FindingDecision>("decision");
            let (kind, sort) = (fields.optional("kind"), fields.optional("sort"));
            let (site, newest) = (fields.optional("site"), fields.optional::<i64>("newest"));
            Some((decision?, (kind?, sort?, site?, newest?)))
        })?;
        let site_id = site_of_body(&context.store, site).await?;
        let filter = FindingFilter { kind, sort, site_id, ..Default::default() };
        let by = (decision, token.0.name.as_str());
        let findings = decide_all(&context.store, &name, filter, newest, by, &context.clock).await?;
        tracing::info!(%decision, findings, "an operator decided about findings");
        context.due.notify_one();
        Ok(Answer(DecidedAll { findings }))
    }

    /// Compare all records
    ///
    /// Asks for a comparison of all records with what the mapping writes. It begins within seconds; `GET /api/v1/parity`
    /// shows how it ends.
    #[oai(path = "/:name/prove", method = "post", operation_id = "prove_destination")]
    async fn prove(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
    ) -> Result<Answer<ProofRequested>, Failure<DestinationQuery>> {
        destinations::find(&context, &name).await?;
        let unavailable = |error| match error {
            ParityError::Store(error) => Problem::from(error),
            ParityError::Zoho(failure) => Problem::with_detail(Code::DestinationUnavailable, failure.to_string()),
        };
        let credits = destinations::zoho(&context, &name)?.proof_cost().await.map_err(unavailable)?;
        context.store.want_proof(&name, context.clock.now()).await?;
        tracing::info!(destination = name.0, credits, "an operator asked for a comparison of all records");
        Ok(Answer(ProofRequested { credits }))
    }
}
