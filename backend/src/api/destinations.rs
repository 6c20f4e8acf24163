//! Destinations: the state of delivery to them, pausing and resuming it.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, types::Example};

use super::{
    Context, Tag,
    answer::Answer,
    auth::OperatorToken,
    body::{JsonText, read_fields},
    failure::{Failure, OperatorAction, OperatorCommand, OperatorRead},
    problem::{Code, Problem},
};
use crate::{
    delivery::Destination as _,
    model::{Field, FieldErrorCode},
    views::{Accepted, DestinationView, accept, operators_pause},
    zoho::destination::Zoho,
};

pub(super) struct Operations;

/// All destinations.
#[derive(Object)]
struct Destinations {
    /// In no particular order; empty when none was ever configured.
    items: Vec<DestinationView>,
}

/// Why an operator pauses the delivery.
#[derive(Object)]
#[oai(example)]
struct PauseRequest {
    /// Shown to people who find the delivery paused.
    #[oai(nullable)]
    reason: Option<String>,
}

impl Example for PauseRequest {
    fn example() -> Self {
        Self { reason: Some("The Zoho organisation is being reorganised until Monday.".to_owned()) }
    }
}

/// What an operator accepts.
#[derive(Object)]
#[oai(example)]
struct AcceptRequest {
    /// `organisation`: the destination is another organisation now, and everything is delivered to it from the
    /// beginning. `records`: records there with this server's keys are its own, and are updated.
    what: Accepted,
}

impl Example for AcceptRequest {
    fn example() -> Self {
        Self { what: Accepted::Records }
    }
}

impl Field for Accepted {
    fn parse(value: serde_json::Value) -> Result<Self, FieldErrorCode> {
        String::parse(value)?.parse().map_err(|_| FieldErrorCode::UnknownValue)
    }
}

/// Fails unless the destination exists.
pub(super) async fn find(context: &Context, name: &str) -> Result<(), Problem> {
    // PostgreSQL rejects NUL in text.
    let known = !name.contains('\0') && context.store.destination(name).await?.is_some();
    known.then_some(()).ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::with_detail(Code::NotFound, "There is no destination with this name.")
}

/// Zoho, if this is its name and it is configured.
pub(super) fn zoho(context: &Context, name: &str) -> Result<Arc<Zoho>, Problem> {
    let zoho = context.zoho().filter(|_| name == Zoho::NAME);
    zoho.ok_or_else(|| Problem::new(Code::NotConfigured))
}

fn is_configured(context: &Context, name: &str) -> bool {
    name == Zoho::NAME && context.zoho().is_some()
}

async fn destination_answer(context: &Context, name: &str) -> Result<Answer<DestinationView>, Problem> {
    let found = DestinationView::read(&context.store, name, is_configured(context, name), context.clock.now()).await?;
    found.map(Answer).ok_or_else(not_found)
}

#[OpenApi(prefix_path = "/api/v1/destinations", tag = "Tag::Delivery")]
impl Operations {
    /// List destinations
    ///
    /// Each with its counts, its pause, and whether its counts add up.
    #[oai(path = "/", method = "get", operation_id = "list_destinations")]
    async fn list(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
    ) -> Result<Answer<Destinations>, Failure<OperatorRead>> {
        let mut items = Vec::new();
        for summary in context.store.destinations().await? {
            let configured = is_configured(&context, &summary.name);
            items.extend(DestinationView::read(&context.store, &summary.name, configured, context.clock.now()).await?);
        }
        Ok(Answer(Destinations { items }))
    }

    /// Get a destination
    ///
    /// The state of delivery: records by state, since when the oldest one waits, whether and why it is paused or slow.
    #[oai(path = "/:name", method = "get", operation_id = "get_destination")]
    async fn get(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
    ) -> Result<Answer<DestinationView>, Failure<OperatorAction>> {
        find(&context, &name).await?;
        Ok(destination_answer(&context, &name).await?)
    }

    /// Pause the delivery
    ///
    /// Sends nothing more until someone resumes it; calls in progress finish. Records are still received, and wait.
    #[oai(path = "/:name/pause", method = "post", operation_id = "pause_destination")]
    async fn pause(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        body: JsonText<PauseRequest>,
    ) -> Result<Answer<DestinationView>, Failure<OperatorCommand>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        find(&context, &name).await?;
        let reason = read_fields(&text, |fields| fields.optional::<String>("reason"))?;
        let pause = operators_pause(reason, context.clock.now());
        if context.store.pause_destination(&name, &pause).await? {
            tracing::info!(destination = name.0, "⏸ an operator paused the delivery");
        }
        Ok(destination_answer(&context, &name).await?)
    }

    /// Resume the delivery
    ///
    /// Ends a pause and all holds, whatever their cause. If the cause remains, the delivery pauses again at its next attempt.
    #[oai(path = "/:name/resume", method = "post", operation_id = "resume_destination")]
    async fn resume(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
    ) -> Result<Answer<DestinationView>, Failure<OperatorAction>> {
        find(&context, &name).await?;
        if context.store.resume(&name).await? {
            tracing::info!(destination = name.0, "▶ an operator resumed the delivery");
        }
        context.due.notify_one();
        Ok(destination_answer(&context, &name).await?)
    }
    /// Accept what the delivery asks about
    ///
    /// Answers the question of a pause with the cause `organisation` or a hold with the cause `other_writer`, and
    /// resumes.
    #[oai(path = "/:name/accept", method = "post", operation_id = "accept_destination")]
    async fn accept(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        body: JsonText<AcceptRequest>,
    ) -> Result<Answer<DestinationView>, Failure<OperatorCommand>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        find(&context, &name).await?;
        let what = read_fields(&text, |fields| fields.required::<Accepted>("what"))?;
        accept(&context.store, &name, what, context.clock.now()).await?;
        context.due.notify_one();
        Ok(destination_answer(&context, &name).await?)
    }
}
