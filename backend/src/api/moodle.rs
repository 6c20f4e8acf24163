//! One event per request, exactly as the original plugin sends them.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde_json::{Map, Value};

use super::{
    Context, Tag,
    answer::Answer,
    auth::{Sender, SiteToken},
    body::{JsonText, parse_problem},
    failure::{Failure, SendEvent},
    problem::{Code, Problem},
    receive::{count_rejected, log_rejected, reject, store},
    schema::EventData,
};
use crate::{
    ingest::Written,
    limits,
    model::{Change, Enrolment, Event, EventType, Grade, Outcome, User, Version},
};

pub(super) struct Operations;

/// The result of an event, which is now durable and visible to readers.
#[derive(Object)]
#[oai(example)]
struct Stored {
    /// The event's place in the event log.
    id: i64,
    /// What the event did.
    outcome: Outcome,
}

impl poem_openapi::types::Example for Stored {
    fn example() -> Self {
        Self { id: 1, outcome: Outcome::Applied }
    }
}

type Received = Result<Answer<Stored>, Failure<SendEvent>>;

fn read(sender: &Sender, event_type: EventType, text: &str) -> Result<Change, Problem> {
    let data: Map<String, Value> = serde_json::from_str(text).map_err(|error| parse_problem(&error, ""))?;
    Change::read(event_type, data).map_err(|errors| {
        log_rejected(sender, event_type.as_str(), &errors);
        Problem::validation(errors)
    })
}

async fn receive<T>(context: &Context, sender: &Sender, event_type: EventType, body: JsonText<T>) -> Received {
    let (text, room) = body.read(&context.ingest, Some(sender.site.id)).await?;
    let change = match read(sender, event_type, &text) {
        Ok(change) => change,
        Err(problem) => {
            let problem = reject(context, sender, problem).await;
            if matches!(problem.code, Code::MalformedJson | Code::ValidationFailed) {
                count_rejected(context, sender, Some(event_type), 1);
            }
            return Err(problem.into());
        }
    };
    // The original plugin sends no version, so the record's last change in Moodle is the version. It does not resend a
    // rejected event, so a time in the future counts as now.
    let (time, now) = (change.time().0, context.clock.now());
    let is_ahead = time.saturating_mul(1_000) > now.after(limits::CLOCK_SLACK).0;
    let version = Version { time: if is_ahead { now.0 / 1_000 } else { time }, sequence: None };
    let event = Event { idempotency_key: None, event_type, version, data: text.into(), digest: None, change };
    match store(context, sender, room, vec![event]).await?.pop() {
        Some(Ok(Written { event_id, outcome })) => Ok(Answer(Stored { id: event_id, outcome })),
        Some(Err(_)) => Err(Problem::new(Code::EventNotStorable).into()),
        None => Err(Problem::new(Code::InternalError).into()),
    }
}

#[OpenApi(prefix_path = "/api/v1/events/moodle", tag = "Tag::Moodle")]
impl Operations {
    /// A user was created
    ///
    /// One event without an idempotency key. It is compared with the record: if nothing differs, the outcome is
    /// `unchanged`.
    #[oai(path = "/user_created", method = "post", operation_id = "user_created")]
    async fn user_created(
        &self,
        token: SiteToken,
        context: Data<&Arc<Context>>,
        body: JsonText<EventData<User>>,
    ) -> Received {
        receive(&context, &token.0, EventType::UserCreated, body).await
    }

    /// A user's profile changed
    ///
    /// One event without an idempotency key; its version is `timemodified`.
    #[oai(path = "/user_updated", method = "post", operation_id = "user_updated")]
    async fn user_updated(
        &self,
        token: SiteToken,
        context: Data<&Arc<Context>>,
        body: JsonText<EventData<User>>,
    ) -> Received {
        receive(&context, &token.0, EventType::UserUpdated, body).await
    }

    /// A user was enrolled in a course
    ///
    /// One event without an idempotency key; its version is `timemodified`, or `timecreated` if that is missing.
    #[oai(path = "/user_enrolled", method = "post", operation_id = "user_enrolled")]
    async fn user_enrolled(
        &self,
        token: SiteToken,
        context: Data<&Arc<Context>>,
        body: JsonText<EventData<Enrolment>>,
    ) -> Received {
        receive(&context, &token.0, EventType::UserEnrolled, body).await
    }

    /// A grade was given or changed
    ///
    /// One event without an idempotency key; its version is `timemodified`. The grade is stored even if the user has
    /// not arrived yet.
    #[oai(path = "/grade_updated", method = "post", operation_id = "grade_updated")]
    async fn grade_updated(
        &self,
        token: SiteToken,
        context: Data<&Arc<Context>>,
        body: JsonText<EventData<Grade>>,
    ) -> Received {
        receive(&context, &token.0, EventType::GradeUpdated, body).await
    }
}
