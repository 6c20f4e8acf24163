//! Request bodies: bounded in size, time and number, read after the token was checked, and parsed by us.
//!
//! The framework's own JSON payload reports the first wrong field alone, without its name and with its value.

use std::marker::PhantomData;

use poem::{Request, RequestBody, error::ReadBodyError};
use poem_openapi::{
    impl_apirequest_for_payload,
    payload::{Json, ParsePayload, Payload},
    registry::{MetaSchemaRef, Registry},
    types::Type,
};
use tokio::io::AsyncReadExt;

use super::{
    auth::context,
    problem::{Code, Problem},
};
use crate::{
    ingest::Room,
    limits,
    model::{FieldError, FieldErrorCode},
};

/// A JSON text that has the schema of `T`, and the room that it takes in the ingest queue.
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
        if length.is_some_and(|length: usize| length > limits::BODY_BYTES) {
            discard(body).await;
            return Err(Problem::new(Code::PayloadTooLarge).into());
        }
        // A body of unknown length may be as long as any.
        let room = context(request)?.ingest.reserve(length.unwrap_or(limits::BODY_BYTES)).map_err(Problem::from)?;
        let read = body.take()?.into_bytes_limit(limits::BODY_BYTES);
        let bytes = match tokio::time::timeout(limits::BODY_READ_TIME, read).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(ReadBodyError::PayloadTooLarge)) => return Err(Problem::new(Code::PayloadTooLarge).into()),
            Ok(Err(_)) => return Err(Problem::new(Code::MalformedJson).into()),
            Err(_) => return Err(Problem::new(Code::RequestTimeout).into()),
        };
        let text = String::from_utf8(bytes.into()).map_err(|_| Problem::new(Code::MalformedJson))?;
        Ok(Self { text, room, schema: PhantomData })
    }
}

impl_apirequest_for_payload!(JsonText<T>, T: Type);

/// Reads a body that is too large to its end, up to a limit: many clients look at the answer only after they have sent all.
async fn discard(body: &mut RequestBody) {
    let Ok(body) = body.take() else { return };
    let mut reader = body.into_async_read().take(limits::DISCARDED_BODY_BYTES as u64);
    let _ = tokio::time::timeout(limits::BODY_READ_TIME, tokio::io::copy(&mut reader, &mut tokio::io::sink())).await;
}

/// What is wrong with a body that did not parse: its JSON, or what the JSON holds at `pointer`.
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
