//! What decisions about numbered things have in common.

use poem_openapi::{Object, types::Example};
use serde_json::Value;

use crate::{
    limits,
    model::{Field, FieldErrorCode},
};

/// What could not be decided.
#[derive(Object)]
pub(super) struct Undecided {
    /// Its number.
    pub(super) number: i64,
    /// Why.
    pub(super) reason: String,
}

/// What became of decisions. The next delivery carries them out.
#[derive(Object)]
#[oai(example)]
pub(super) struct Decided {
    /// The numbers of what was decided.
    pub(super) decided: Vec<i64>,
    /// What could not be.
    pub(super) undecided: Vec<Undecided>,
}

impl Example for Decided {
    fn example() -> Self {
        Self { decided: vec![7], undecided: Vec::new() }
    }
}

/// The numbers of what is decided.
pub(super) struct Numbers(pub(super) Vec<i64>);

impl Field for Numbers {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        let Value::Array(values) = value else { return Err(FieldErrorCode::WrongType) };
        if values.is_empty() || values.len() > limits::PAGE_ROWS_MAX as usize {
            return Err(FieldErrorCode::OutOfRange);
        }
        let numbers = values.iter().map(|value| value.as_i64().ok_or(FieldErrorCode::WrongType));
        Ok(Self(numbers.collect::<Result<_, _>>()?))
    }
}
