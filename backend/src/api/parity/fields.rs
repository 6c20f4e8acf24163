//! Reads what the plugin asks in a comparison.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::{Digest, Field, FieldErrorCode, Fields, Id};

/// Ranges of ids in one question: those of 100,000 records.
pub(super) const RANGES: usize = 100;

/// Records named in one question, and those left out of one of its ranges.
pub(super) const RECORDS: usize = 1_000;

impl Field for Digest {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        Self::from_hex(&String::parse(value)?).ok_or(FieldErrorCode::WrongType)
    }
}

/// A list of at most `MAX`.
pub(super) struct UpTo<const MAX: usize, T>(pub(super) Vec<T>);

impl<const MAX: usize, T: Field> Field for UpTo<MAX, T> {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        match value {
            Value::Array(list) if list.len() > MAX => Err(FieldErrorCode::TooLong),
            Value::Array(list) => list.into_iter().map(T::parse).collect::<Result<_, _>>().map(Self),
            _ => Err(FieldErrorCode::WrongType),
        }
    }
}

pub(super) type Ids = UpTo<RECORDS, Id>;

/// A number of records.
pub(super) struct Number(pub(super) u64);

impl Field for Number {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        value.as_u64().filter(|number| i64::try_from(*number).is_ok()).map(Self).ok_or(FieldErrorCode::WrongType)
    }
}

/// A range as it is compared.
pub(super) struct Range {
    pub(super) from: Id,
    pub(super) to: Id,
    pub(super) sum: (u64, Digest),
    pub(super) except: BTreeSet<Id>,
}

fn read_object<T>(value: Value, read: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, FieldErrorCode> {
    let Value::Object(map) = value else { return Err(FieldErrorCode::WrongType) };
    let mut fields = Fields::new(map);
    let read = read(&mut fields);
    match fields.finish() {
        Ok(None) => read.ok_or(FieldErrorCode::WrongType),
        Ok(Some(_)) => Err(FieldErrorCode::UnknownValue),
        Err(errors) => Err(errors.first().map_or(FieldErrorCode::WrongType, |error| error.code)),
    }
}

impl Field for Range {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        read_object(value, |fields| {
            let (from, to) = (fields.required("from")?, fields.required("to")?);
            let sum = (fields.required::<Number>("records")?.0, fields.required("digest")?);
            Some(Self { from, to, sum, except: ids_of(fields, "except")? })
        })
    }
}

/// A record as Moodle names it.
pub(super) struct Named {
    pub(super) id: Id,
    pub(super) digest: Digest,
    pub(super) userid: Option<Id>,
}

impl Field for Named {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        read_object(value, |fields| {
            let (id, digest) = (fields.required("id")?, fields.required("digest")?);
            Some(Self { id, digest, userid: fields.optional("userid")? })
        })
    }
}

pub(super) fn ids_of(fields: &mut Fields, name: &str) -> Option<BTreeSet<Id>> {
    Some(fields.optional::<Ids>(name)?.map(|ids| ids.0.into_iter().collect()).unwrap_or_default())
}
