//! Many events in one request, each with its own id and its own outcome.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, value::RawValue};
use uuid::Uuid;

use super::{
    Context, Tag,
    answer::Answer,
    auth::{Sender, SiteToken},
    body::{JsonText, parse_problem},
    failure::{Failure, SendBatch},
    problem::{Code, InvalidField, Problem},
    receive::{count_rejected, log_rejected, reject, store},
    schema,
};
use crate::{
    clock::{ClockSource, Timestamp, judge::duration_in_words},
    ingest::Written,
    limits,
    model::{
        Change, Digest, Event, EventType, Field, FieldError, FieldErrorCode, Fields, Outcome, Sequence, Time, Version,
    },
};

pub(super) struct Operations;

/// The outcome of one event of a batch.
#[derive(Object)]
#[oai(rename = "EventOutcome")]
struct EventOutcome {
    /// The event's idempotency key, as sent; null when it could not be read.
    #[oai(nullable, rename = "client_id")]
    idempotency_key: Option<Uuid>,
    /// The event's place in the event log; of a duplicate, that of the first; null when rejected.
    #[oai(nullable)]
    id: Option<i64>,
    /// What the event did.
    outcome: Outcome,
    /// Why it was rejected, for programs.
    #[oai(skip_serializing_if_is_none)]
    code: Option<Code>,
    /// Why it was rejected, for people.
    #[oai(skip_serializing_if_is_none)]
    detail: Option<String>,
    /// Every invalid field, by JSON pointer into the request.
    errors: Vec<InvalidField>,
}

/// The outcomes of a batch.
#[derive(Object)]
#[oai(example)]
struct BatchOutcome {
    /// One outcome per event, in the order of the request.
    outcomes: Vec<EventOutcome>,
}

impl poem_openapi::types::Example for BatchOutcome {
    fn example() -> Self {
        let idempotency_key = Some(Uuid::from_u128(0x0192_f3a1_7c1e_7000_8000_0000_0000_0001));
        let applied = EventOutcome::stored(idempotency_key, Written { event_id: 17, outcome: Outcome::Applied });
        let errors = vec![FieldError::new("/events/1/data/userid", FieldErrorCode::Required)];
        Self { outcomes: vec![applied, EventOutcome::rejected(None, Code::ValidationFailed, errors)] }
    }
}

impl EventOutcome {
    fn stored(idempotency_key: Option<Uuid>, Written { event_id, outcome }: Written) -> Self {
        Self { idempotency_key, id: Some(event_id), outcome, code: None, detail: None, errors: vec![] }
    }

    fn rejected(idempotency_key: Option<Uuid>, code: Code, errors: Vec<FieldError>) -> Self {
        let errors = errors.into_iter().map(InvalidField::from).collect();
        let detail = Some(code.detail().to_owned());
        Self { idempotency_key, id: None, outcome: Outcome::Rejected, code: Some(code), detail, errors }
    }
}

/// The schema of a batch; its parsing is below.
pub(super) struct BatchRequest;

named_type!([] BatchRequest, "Batch", schema::batch);

#[derive(Deserialize)]
struct BatchText<'a> {
    // Each event stays text for now, so that one that does not parse is rejected alone.
    #[serde(borrow)]
    events: Option<Vec<&'a RawValue>>,
}

/// Whether a JSON text is an object. Checked here because serde reads structs from arrays too.
fn is_object(json: &str) -> bool {
    json.trim_ascii_start().starts_with('{')
}

fn split(text: &str) -> Result<Vec<&RawValue>, Problem> {
    let invalid = |pointer, code| Problem::validation(vec![FieldError::new(pointer, code)]);
    if !is_object(text) {
        let _: IgnoredAny = serde_json::from_str(text).map_err(|error| parse_problem(&error, ""))?;
        return Err(invalid("", FieldErrorCode::WrongType));
    }
    let batch: BatchText<'_> = serde_json::from_str(text).map_err(|error| parse_problem(&error, "/events"))?;
    let events = batch.events.filter(|events| !events.is_empty());
    let events = events.ok_or_else(|| invalid("/events", FieldErrorCode::Required))?;
    if events.len() > limits::BATCH_EVENTS {
        return Err(invalid("/events", FieldErrorCode::TooLong));
    }
    Ok(events)
}

impl Field for EventType {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        let Value::String(name) = value else { return Err(FieldErrorCode::WrongType) };
        name.parse().map_err(|_| FieldErrorCode::UnknownValue)
    }
}

impl Field for Uuid {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        let Value::String(text) = value else { return Err(FieldErrorCode::WrongType) };
        Self::try_parse(&text).map_err(|_| FieldErrorCode::WrongType)
    }
}

/// An event that was rejected before it reached the writer.
struct RejectedEvent {
    /// The idempotency key, if it could be read.
    idempotency_key: Option<Uuid>,
    /// The type, if it could be read.
    event_type: Option<EventType>,
    code: Code,
    errors: Vec<FieldError>,
}

/// Reads one event of a batch; `pointer` is its place there.
fn read_event(text: &RawValue, pointer: &str) -> Result<Event, RejectedEvent> {
    let malformed = |idempotency_key, event_type, pointer: String| RejectedEvent {
        idempotency_key,
        event_type,
        code: Code::MalformedJson,
        errors: vec![FieldError::new(pointer, FieldErrorCode::WrongType)],
    };
    if !is_object(text.get()) {
        let errors = vec![FieldError::new(pointer, FieldErrorCode::WrongType)];
        return Err(RejectedEvent { idempotency_key: None, event_type: None, code: Code::ValidationFailed, errors });
    }
    let members: Result<HashMap<String, &RawValue>, _> = serde_json::from_str(text.get());
    let mut members = members.map_err(|_| malformed(None, None, pointer.to_owned()))?;
    let data = members.remove("data");
    let mut envelope = Map::new();
    for (name, value) in members {
        let value = serde_json::from_str(value.get()).map_err(|_| malformed(None, None, pointer.to_owned()))?;
        envelope.insert(name, value);
    }
    let mut fields = Fields::new(envelope);
    let idempotency_key: Option<Uuid> = fields.required("id");
    let event_type: Option<EventType> = fields.required("type");
    let time: Option<Time> = fields.required("time");
    let sequence: Option<Sequence> = fields.required("sequence");
    let mut errors = fields.finish().err().unwrap_or_default();
    let value = data.map(|data| serde_json::from_str(data.get())).transpose();
    let value = value.map_err(|_| malformed(idempotency_key, event_type, format!("{pointer}/data")))?;
    let mut change = None;
    match (value, event_type) {
        (None | Some(Value::Null), _) => errors.push(FieldError::new("/data", FieldErrorCode::Required)),
        (Some(Value::Object(map)), Some(event_type)) => match Change::read(event_type, map) {
            Ok(read) => change = Some(read),
            Err(inner) => errors.extend(inner.into_iter().map(|error| error.below("/data"))),
        },
        // Without a type, the data cannot be checked.
        (Some(Value::Object(_)), None) => {}
        (Some(_), _) => errors.push(FieldError::new("/data", FieldErrorCode::WrongType)),
    }
    match (idempotency_key, event_type, time, sequence, change, data) {
        (Some(id), Some(event_type), Some(time), Some(sequence), Some(change), Some(data)) if errors.is_empty() => {
            let version = Version { time: time.0, sequence: Some(sequence.0) };
            let (data, digest) = (data.get().into(), Some(Digest::of(data.get())));
            Ok(Event { idempotency_key: Some(id), event_type, version, data, digest, change })
        }
        _ => {
            let errors = errors.into_iter().map(|error| error.below(pointer)).collect();
            Err(RejectedEvent { idempotency_key, event_type, code: Code::ValidationFailed, errors })
        }
    }
}

/// Takes the newest event's time as a reading of the site's clock, and rejects the batch when that is too far ahead of
/// ours.
fn clock_ahead<'a>(context: &Context, sender: &Sender, events: impl Iterator<Item = &'a Event>) -> Option<Problem> {
    let newest = Timestamp(events.map(|event| event.version.time).max()?.saturating_mul(1_000));
    let now = context.clock.now();
    context.clock.add_reading(ClockSource::Moodle(sender.site.id), newest);
    if newest <= now.after(limits::CLOCK_AHEAD) {
        return None;
    }
    let (ahead, site) = (duration_in_words(newest.since(now)), &sender.site.name);
    tracing::warn!(site, ahead, "📥 Rejected a batch: its newest event is ahead of our time");
    let (theirs, ours) = (newest.to_rfc3339(), now.to_rfc3339());
    Some(Problem::with_detail(
        Code::ClockAhead,
        format!(
            "The newest event is {ahead} ahead of the backend's time: it is from {theirs}, and the backend's time is \
             {ours}. Nothing was stored. Correct the wrong clock, best with a time service such as chrony, and send \
             the batch again. On the backend, backend-sync clock shows whether its time is right."
        ),
    ))
}

#[OpenApi(prefix_path = "/api/v1/events/moodle", tag = "Tag::Moodle")]
impl Operations {
    /// Send many events of any type
    ///
    /// Up to 1,000 events, each with its own id and outcome, so that one bad event never blocks the others. The answer
    /// comes once all accepted events are durable. An event whose id was stored before is a `duplicate`, so a batch may
    /// be sent again.
    ///
    /// When an event's time is more than ten minutes ahead of the server's, the whole batch is rejected with
    /// `clock_ahead`: until that time has come, correct events could not change a record with such a version.
    #[oai(path = "/batch", method = "post", operation_id = "send_batch")]
    async fn batch(
        &self,
        token: SiteToken,
        context: Data<&Arc<Context>>,
        body: JsonText<BatchRequest>,
    ) -> Result<Answer<BatchOutcome>, Failure<SendBatch>> {
        let sender = token.0;
        let (text, room) = body.read(&context.ingest, Some(sender.site.id)).await?;
        let mut outcomes = Vec::new();
        let mut events = Vec::new();
        let mut rejected: BTreeMap<Option<EventType>, u64> = BTreeMap::new();
        let texts = match split(&text) {
            Ok(texts) => texts,
            Err(problem) => return Err(reject(&context, &sender, problem).await.into()),
        };
        for (index, text) in texts.into_iter().enumerate() {
            match read_event(text, &format!("/events/{index}")) {
                Ok(event) => {
                    // Holds until the writer has settled the event.
                    outcomes.push(EventOutcome::rejected(event.idempotency_key, Code::EventNotStorable, vec![]));
                    events.push((index, event));
                }
                Err(RejectedEvent { idempotency_key, event_type, code, errors }) => {
                    *rejected.entry(event_type).or_default() += 1;
                    log_rejected(&sender, "an", &errors);
                    outcomes.push(EventOutcome::rejected(idempotency_key, code, errors));
                }
            }
        }
        if let Some(problem) = clock_ahead(&context, &sender, events.iter().map(|(_, event)| event)) {
            return Err(reject(&context, &sender, problem).await.into());
        }
        if events.is_empty() {
            context.tokens.check(&sender, &context.own_store(), context.clock.now()).await?;
        } else {
            let (places, events): (Vec<usize>, Vec<Event>) = events.into_iter().unzip();
            let settled = store(&context, &sender, room, events).await?;
            for (place, settled) in places.into_iter().zip(settled) {
                if let (Ok(written), Some(outcome)) = (settled, outcomes.get_mut(place)) {
                    *outcome = EventOutcome::stored(outcome.idempotency_key, written);
                }
            }
        }
        rejected.into_iter().for_each(|(event_type, count)| count_rejected(&context, &sender, event_type, count));
        Ok(Answer(BatchOutcome { outcomes }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{RejectedEvent, read_event, split};
    use crate::model::Event;

    fn read(text: &str) -> Result<Event, RejectedEvent> {
        let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
        read_event(&raw, "/events/3")
    }

    fn pointers(text: &str) -> Vec<(String, String)> {
        let Err(refusal) = read(text) else { panic!("the event was accepted") };
        refusal.errors.into_iter().map(|error| (error.pointer, error.code.as_str().to_owned())).collect()
    }

    #[test]
    fn every_invalid_field_of_an_event_is_named() {
        let errors = pointers(r#"{"id": "x", "type": "user_eaten", "time": -1, "sequence": 1.5}"#);
        let expected = [
            ("/events/3/id", "wrong_type"),
            ("/events/3/type", "unknown_value"),
            ("/events/3/time", "out_of_range"),
            ("/events/3/sequence", "wrong_type"),
            ("/events/3/data", "required"),
        ];
        assert_eq!(errors, expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    }

    #[test]
    fn the_data_is_kept_byte_by_byte() {
        let data = r#"{"userid": "3",  "other": 1.50, "firstname":"\u0645"}"#;
        let id = "0192f3a1-7c1e-7000-8000-000000000001";
        let event = read(&format!(r#"{{"id":"{id}","type":"user_updated","time":5,"sequence":"6","data":{data}}}"#));
        let event = event.unwrap_or_else(|_| panic!("the event was rejected"));
        assert_eq!(&*event.data, data);
    }

    #[test]
    fn a_lone_surrogate_spoils_one_event_alone() {
        let text = r#"{"events": [{"id": "\ud800"}, {"id": 1}]}"#;
        let events = split(text).unwrap_or_else(|_| panic!("the batch was rejected"));
        assert_eq!(events.len(), 2);
        assert_eq!(pointers(events[0].get()), [("/events/3".to_owned(), "wrong_type".to_owned())]);
    }
}
