//! The brake for what cannot be undone: what waits for a person's decision, and the decisions.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Query, types::Example};
use serde_json::Value;

use super::{
    Context, Tag,
    answer::Answer,
    auth::OperatorToken,
    body::{JsonText, read_fields},
    failure::{Failure, OperatorCommand, OperatorQuery},
    parameters::{self, site_of_body},
    problem::Problem,
};
use crate::{
    clock::Timestamp,
    model::{Effect, Field, FieldError, FieldErrorCode, Kind, RecordId, RecordKey},
    store::{BrakeDecision, BrakeDone},
    views::{BrakeView, InvalidApproval, approve_effects, check_approval, refuse_effects, withdraw_exceptions},
};

pub(super) struct Operations;

/// What a person decides about.
#[derive(Object)]
#[oai(example)]
struct BrakeRequest {
    /// The name of the site.
    site: String,
    /// Only this effect.
    #[oai(nullable)]
    effect: Option<Effect>,
    /// Only this record: `kind:site:id`.
    #[oai(nullable)]
    record: Option<String>,
    /// At most so many, those first that have waited longest.
    #[oai(nullable)]
    number: Option<u64>,
}

/// What a person approves.
#[derive(Object)]
#[oai(example)]
struct ApproveRequest {
    /// The name of the site.
    site: String,
    /// Only this effect.
    #[oai(nullable)]
    effect: Option<Effect>,
    /// Only this record: `kind:site:id`.
    #[oai(nullable)]
    record: Option<String>,
    /// At most so many, those first that have waited longest.
    #[oai(nullable)]
    number: Option<u64>,
    /// What is left of the number is approved ahead, until then (RFC 3339), within 31 days.
    #[oai(nullable)]
    until: Option<String>,
}

impl Example for BrakeRequest {
    fn example() -> Self {
        let (site, record) = ("college".to_owned(), Some("user:college:3".to_owned()));
        Self { site, effect: Some(Effect::Deletion), record, number: None }
    }
}

impl Example for ApproveRequest {
    fn example() -> Self {
        Self {
            site: "college".to_owned(),
            effect: Some(Effect::Adoption),
            record: None,
            number: Some(1_200),
            until: Some("2026-11-23T08:00:00Z".to_owned()),
        }
    }
}

/// What a decision did.
#[derive(Object)]
#[oai(example)]
struct BrakeDecided {
    /// Records that are judged again now.
    records: u64,
    /// Erasures that begin, or are lifted.
    erasures: u64,
    /// How many more are approved ahead.
    ahead: u64,
}

impl Example for BrakeDecided {
    fn example() -> Self {
        Self { records: 0, erasures: 0, ahead: 1_200 }
    }
}

impl From<(BrakeDone, u64)> for BrakeDecided {
    fn from((BrakeDone { records, erasures }, ahead): (BrakeDone, u64)) -> Self {
        Self { records, erasures, ahead }
    }
}

impl Field for Effect {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        String::parse(value)?.parse().map_err(|_| FieldErrorCode::UnknownValue)
    }
}

/// A record as `kind:site:id`.
struct RecordText(Kind, RecordId);

impl Field for RecordText {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        let text = String::parse(value)?;
        let (kind, id) = text.split_once(':').ok_or(FieldErrorCode::UnknownValue)?;
        let unknown = FieldErrorCode::UnknownValue;
        Ok(Self(kind.parse().map_err(|_| unknown)?, id.parse().map_err(|_| unknown)?))
    }
}

/// A number that people write.
struct Number(u64);

impl Field for Number {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        let number = i64::parse(value)?;
        u64::try_from(number).map(Self).map_err(|_| FieldErrorCode::OutOfRange)
    }
}

/// A time in RFC 3339.
struct Time(Timestamp);

impl Field for Time {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        Timestamp::from_rfc3339(&String::parse(value)?).map(Self).ok_or(FieldErrorCode::UnknownValue)
    }
}

/// What a body selects.
struct Selected {
    site_id: i64,
    effect: Option<Effect>,
    record: Option<RecordKey>,
    number: Option<u64>,
    until: Option<Timestamp>,
}

impl Selected {
    /// Reads a body; only an approval has an end.
    async fn read(context: &Context, text: &str, ends: bool) -> Result<Self, Problem> {
        let (site, effect, record, number, until) = read_fields(text, |fields| {
            let (site, effect) = (fields.required::<String>("site"), fields.optional("effect"));
            let (record, number) = (fields.optional::<RecordText>("record"), fields.optional::<Number>("number"));
            let until = if ends { fields.optional::<Time>("until") } else { Some(None) };
            Some((site?, effect?, record?, number?.map(|number| number.0), until?.map(|until| until.0)))
        })?;
        let unknown = |field: &str| Problem::validation(vec![FieldError::new(field, FieldErrorCode::UnknownValue)]);
        let name = site.clone();
        let site_id = site_of_body(&context.store, Some(site)).await?.ok_or_else(|| unknown("/site"))?;
        let of_site = record.as_ref().is_none_or(|RecordText(_, id)| id.site.as_str() == name);
        if !of_site {
            return Err(unknown("/record"));
        }
        let record = record.map(|RecordText(kind, id)| RecordKey { kind, site_id, moodle_id: id.moodle_id });
        Ok(Self { site_id, effect, record, number, until })
    }

    fn decision<'a>(&self, by: &'a str) -> BrakeDecision<'a> {
        let Self { site_id, effect, record, number, .. } = *self;
        BrakeDecision { site_id, effect, record, number, by }
    }
}

/// Which field of a body an approval fails for.
fn invalid(error: InvalidApproval) -> Problem {
    let (field, code) = match error {
        InvalidApproval::Unnumbered => ("/number", FieldErrorCode::Required),
        InvalidApproval::Number => ("/number", FieldErrorCode::OutOfRange),
        InvalidApproval::OneRecord | InvalidApproval::End => ("/until", FieldErrorCode::OutOfRange),
    };
    Problem::validation(vec![FieldError::new(field, code)])
}

#[OpenApi(prefix_path = "/api/v1/brake", tag = "Tag::Delivery")]
impl Operations {
    /// Get the brake
    ///
    /// What cannot be undone is counted per site: adoptions, deletions of people, removals of other records and
    /// erasures. Of each, what is above the ordinary within the window waits for a person. Answers what was done, what
    /// waits, and what people decided.
    #[oai(path = "/", method = "get", operation_id = "get_brake")]
    async fn get(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// Only this site.
        site: Query<Option<String>>,
    ) -> Result<Answer<BrakeView>, Failure<OperatorQuery>> {
        let only = match site.0 {
            Some(name) => Some(parameters::site_id(&context.store, "site", &name).await?),
            None => None,
        };
        Ok(Answer(BrakeView::read(&context.store, context.live().brake, context.clock.now(), only).await?))
    }

    /// Approve what waits
    ///
    /// Lets the selected effects happen now. With a number and an end, what is left of the number is approved ahead: for
    /// a flood that is expected.
    #[oai(path = "/approve", method = "post", operation_id = "approve_braked")]
    async fn approve(
        &self,
        token: OperatorToken,
        context: Data<&Arc<Context>>,
        body: JsonText<ApproveRequest>,
    ) -> Result<Answer<BrakeDecided>, Failure<OperatorCommand>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        let selected = Selected::read(&context, &text, true).await?;
        let (OperatorToken(operator), now) = (token, context.clock.now());
        let decision = selected.decision(&operator.name);
        check_approval(&decision, selected.until, now).map_err(invalid)?;
        let done = approve_effects(&context.store, &decision, selected.until, now).await?;
        context.due.notify_one();
        Ok(Answer(done.into()))
    }

    /// Refuse what waits
    ///
    /// The selected effects do not happen: the records stay as they are at the destination, as exceptions that name who
    /// decided. Waiting erasures are lifted. Without a number and a record, approvals ahead end.
    #[oai(path = "/refuse", method = "post", operation_id = "refuse_braked")]
    async fn refuse(
        &self,
        token: OperatorToken,
        context: Data<&Arc<Context>>,
        body: JsonText<BrakeRequest>,
    ) -> Result<Answer<BrakeDecided>, Failure<OperatorCommand>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        let selected = Selected::read(&context, &text, false).await?;
        let OperatorToken(operator) = token;
        let done = refuse_effects(&context.store, &selected.decision(&operator.name), context.clock.now()).await?;
        context.due.notify_one();
        Ok(Answer((done, 0).into()))
    }

    /// Take refusals back
    ///
    /// The selected exceptions wait for a decision again.
    #[oai(path = "/withdraw", method = "post", operation_id = "withdraw_exceptions")]
    async fn withdraw(
        &self,
        token: OperatorToken,
        context: Data<&Arc<Context>>,
        body: JsonText<BrakeRequest>,
    ) -> Result<Answer<BrakeDecided>, Failure<OperatorCommand>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        let selected = Selected::read(&context, &text, false).await?;
        let OperatorToken(operator) = token;
        let done = withdraw_exceptions(&context.store, &selected.decision(&operator.name), context.clock.now()).await?;
        context.due.notify_one();
        Ok(Answer((done, 0).into()))
    }
}
