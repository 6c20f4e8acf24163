//! A value on its way from a record to a field in Zoho, and what type it has.

use std::borrow::Cow;

use rust_decimal::Decimal as Number;

use crate::model::{Decimal, Id, Time};

/// A value to be written to Zoho.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum<'a> {
    Text(Cow<'a, str>),
    Number(Number),
    Bool(bool),
    /// Unix seconds.
    Time(i64),
    /// The id of a record in Zoho.
    Reference(&'a str),
}

impl Datum<'_> {
    /// The number that it is, perhaps as a text.
    pub(super) fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => Number::from_str_exact(text).ok(),
            _ => None,
        }
    }
}

/// The type of a source's [`Datum`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    Integer,
    Decimal,
    Bool,
    Time,
    /// A text that may stand for any of them: what a custom field holds, only the site knows.
    Any,
}

impl Shape {
    /// Whether it may be one of these.
    pub(crate) fn may_be(self, allowed: &[Self]) -> bool {
        self == Self::Any || allowed.contains(&self)
    }
}

/// Converts a state's field to a value; `None` when it is missing, empty or, for a time, 0.
pub(super) trait AsDatum {
    const SHAPE: Shape;
    fn datum(&self) -> Option<Datum<'_>>;
}

impl AsDatum for String {
    const SHAPE: Shape = Shape::Text;
    fn datum(&self) -> Option<Datum<'_>> {
        // Zoho trims texts; without this, the trimmed value would look like a difference later.
        let text = self.trim();
        (!text.is_empty()).then_some(Datum::Text(Cow::Borrowed(text)))
    }
}

impl AsDatum for Decimal {
    const SHAPE: Shape = Shape::Decimal;
    fn datum(&self) -> Option<Datum<'_>> {
        self.as_str().parse().ok().map(Datum::Number)
    }
}

impl AsDatum for i64 {
    const SHAPE: Shape = Shape::Integer;
    fn datum(&self) -> Option<Datum<'_>> {
        Some(Datum::Number(Number::from(*self)))
    }
}

impl AsDatum for Id {
    const SHAPE: Shape = Shape::Integer;
    fn datum(&self) -> Option<Datum<'_>> {
        self.0.datum()
    }
}

impl AsDatum for bool {
    const SHAPE: Shape = Shape::Bool;
    fn datum(&self) -> Option<Datum<'_>> {
        Some(Datum::Bool(*self))
    }
}

impl AsDatum for Time {
    const SHAPE: Shape = Shape::Time;
    fn datum(&self) -> Option<Datum<'_>> {
        (self.0 != 0).then_some(Datum::Time(self.0))
    }
}

impl<T: AsDatum> AsDatum for Option<T> {
    const SHAPE: Shape = T::SHAPE;
    fn datum(&self) -> Option<Datum<'_>> {
        self.as_ref().and_then(T::datum)
    }
}
