//! Request bodies: bounded in size, time and number, read only after the token was checked, and parsed here.
//!
//! The framework's own JSON payload reports only the first wrong field, without its name but with its value.

use std::marker::PhantomData;

use poem::{Request, RequestBody};
use poem_openapi::{
    impl_apirequest_for_payload,
    payload::{Json, ParsePayload, Payload},
    registry::{MetaSchemaRef, Registry},
    types::Type,
};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    auth::context,
    problem::{Code, Problem},
};
use crate::{
    ingest::Room,
    limits,
    model::{FieldError, FieldErrorCode, Fields},
};

/// A JSON text with the schema of `T`, and the room it takes in the ingest queue.
pub(super) struct JsonText<T> {
    pub(super) text: String,
    pub(super) room: Room,
    schema: PhantomData<T>,
}

impl<T: Type> Payload for JsonText<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        <Json<T> as Payload>::check_content_type(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type> ParsePayload for JsonText<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let length = request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        // Without a length, reserve for the largest body.
        let room = context(request)?.ingest.reserve(length.unwrap_or(limits::BODY_BYTES)).map_err(Problem::from);
        let mut reader = body.take()?.into_async_read();
        let read = async {
            if length.is_some_and(|length| length > limits::BODY_BYTES) {
                return Err(BodyError(Problem::new(Code::PayloadTooLarge)));
            }
            let room = room.map_err(BodyError)?;
            let bytes = read_bounded(&mut reader, length).await?;
            let text = String::from_utf8(bytes).map_err(|_| BodyError(Problem::new(Code::MalformedJson)))?;
            Ok(Self { text, room, schema: PhantomData })
        };
        match tokio::time::timeout(limits::BODY_READ_TIME, read).await {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(BodyError(problem))) => {
                discard(reader).await;
                Err(problem.into())
            }
            Err(_) => Err(Problem::new(Code::RequestTimeout).into()),
        }
    }
}

/// Why a body was not accepted.
struct BodyError(Problem);

/// Reads a body to its end, up to the limit.
async fn read_bounded(reader: impl AsyncRead + Unpin, length: Option<usize>) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::with_capacity(length.unwrap_or_default().min(limits::BODY_BYTES));
    let limit = limits::BODY_BYTES as u64 + 1;
    let read = reader.take(limit).read_to_end(&mut bytes).await;
    match read {
        Ok(_) if bytes.len() > limits::BODY_BYTES => Err(BodyError(Problem::new(Code::PayloadTooLarge))),
        Ok(_) => Ok(bytes),
        Err(_) => Err(BodyError(Problem::new(Code::MalformedJson))),
    }
}

/// Reads the rest of a refused body, up to a limit: many clients only look at the answer once they have sent
/// everything.
async fn discard(reader: impl AsyncRead + Unpin) {
    let mut reader = reader.take(limits::DISCARDED_BODY_BYTES as u64);
    let _ = tokio::time::timeout(limits::BODY_READ_TIME, tokio::io::copy(&mut reader, &mut tokio::io::sink())).await;
}

impl_apirequest_for_payload!(JsonText<T>, T: Type);

/// Why a body did not parse: invalid JSON, or a wrong type at `pointer`.
pub(super) fn parse_problem(error: &serde_json::Error, pointer: &str) -> Problem {
    match error.classify() {
        serde_json::error::Category::Data => {
            Problem::validation(vec![FieldError::new(pointer, FieldErrorCode::WrongType)])
        }
        _ => {
            let (line, column) = (error.line(), error.column());
            Problem::with_detail(
                Code::MalformedJson,
                format!("The body is not valid JSON at line {line}, column {column}."),
            )
        }
    }
}

/// Reads the fields of a body. Unknown fields are errors: a mistyped filter would otherwise select more than was meant.
pub(super) fn read_fields<T>(text: &str, read: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, Problem> {
    let map: Map<String, Value> = serde_json::from_str(text).map_err(|error| parse_problem(&error, ""))?;
    let mut fields = Fields::new(map);
    let read = read(&mut fields);
    let unknown = fields.finish().map_err(Problem::validation)?;
    let error = |name: &String| FieldError::new(format!("/{name}"), FieldErrorCode::UnknownValue);
    let errors: Vec<_> = unknown.iter().flat_map(Map::keys).map(error).collect();
    match read {
        Some(read) if errors.is_empty() => Ok(read),
        _ => Err(Problem::validation(errors)),
    }
}
