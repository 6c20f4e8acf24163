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

use super::{
    coding::{Coding, Intake},
    problem::{Code, Problem},
};
use crate::{
    ingest::{Ingest, Room},
    limits,
    model::{FieldError, FieldErrorCode, Fields},
    server::{BodyReader, ReadError},
};

/// A JSON text with the schema of `T`, of which nothing has been read yet.
pub(super) struct JsonText<T> {
    reader: BodyReader,
    coding: Coding,
    /// What the sender says.
    length: Option<usize>,
    schema: PhantomData<T>,
}

impl<T> JsonText<T> {
    /// Reads it; it takes room in the ingest queue as it arrives, of the share of this site, or of operators.
    pub(super) async fn read(mut self, ingest: &Ingest, site: Option<i64>) -> Result<(String, Room), Problem> {
        match self.read_bounded(ingest, site).await {
            Ok((bytes, room)) => match String::from_utf8(bytes) {
                Ok(text) => Ok((text, room)),
                Err(_) => Err(Problem::new(Code::MalformedJson)),
            },
            Err(problem) => {
                if problem.code != Code::RequestTimeout {
                    self.reader.discard().await;
                }
                Err(problem)
            }
        }
    }

    /// Reads to the end, up to the limit.
    async fn read_bounded(&mut self, ingest: &Ingest, site: Option<i64>) -> Result<(Vec<u8>, Room), Problem> {
        if self.length.is_some_and(|length| length > limits::BODY_BYTES) {
            return Err(Problem::new(Code::PayloadTooLarge));
        }
        let room = ingest.enter(site)?;
        // Better now than after half of it was sent.
        room.could_fit(self.length.unwrap_or_default())?;
        let mut intake = Intake::new(self.coding, room);
        let mut received = 0;
        loop {
            match self.reader.next().await {
                Ok(Some(piece)) => {
                    received += piece.len();
                    // What is packed may be endless without unpacking to anything.
                    if received > limits::BODY_BYTES {
                        return Err(Problem::new(Code::PayloadTooLarge));
                    }
                    intake.add(&piece)?;
                }
                Ok(None) => return intake.finish(),
                Err(ReadError::TooSlow) => return Err(Problem::new(Code::RequestTimeout)),
                Err(ReadError::Broken(_)) => return Err(Problem::new(Code::MalformedJson)),
            }
        }
    }
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
        let coding = Coding::of(request.headers())?;
        let length = request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        Ok(Self { reader: BodyReader::new(request, body.take()?), coding, length, schema: PhantomData })
    }
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
