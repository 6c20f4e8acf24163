//! Numbers as Moodle writes them. Its database layer returns every number as a string, so `"3"` and `3` are the same.

use std::{fmt, str::FromStr};

use poem_openapi::{
    registry::MetaSchema,
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON},
};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Field, FieldErrorCode};

/// An id in Moodle: an integer of 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType, Serialize, Deserialize)]
pub struct Id(pub i64);

/// The first id of former records: far above Moodle's, and still exact in JavaScript.
const FIRST_FORMER: i64 = 1 << 52;

impl Id {
    /// The id of a record whose own id Moodle has given to another one; `position` is the record's place in the change
    /// feed.
    pub fn former(position: i64) -> Self {
        Self(FIRST_FORMER.saturating_add(position))
    }

    /// Whether it was made by [`Id::former`].
    pub fn is_former(self) -> bool {
        self.0 >= FIRST_FORMER
    }
}

/// Unix seconds by Moodle's clock; 0 means "never" or "not set", as in Moodle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveValueType)]
pub struct Time(pub i64);

/// A sender's sequence number: 0 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub i64);

/// An exact decimal that keeps its digits as written: `82.50000` stays `82.50000`.
///
/// At most 28 significant digits; Moodle's grades have 10 before and 5 after the point.
#[derive(Clone, Debug, PartialEq, Eq, DeriveValueType)]
pub struct Decimal(String);

/// The last second of a date-time with a four-digit year: 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Decimal {
    /// The digits as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Decimal {
    type Err = FieldErrorCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = match text.split_once(['e', 'E']) {
            None if is_decimal(text) => rust_decimal::Decimal::from_str_exact(text),
            Some((mantissa, exponent)) if is_decimal(mantissa) && is_exponent(exponent) => {
                rust_decimal::Decimal::from_scientific(text)
            }
            _ => return Err(FieldErrorCode::WrongType),
        };
        number.map(|number| Self(number.to_string())).map_err(|_| FieldErrorCode::OutOfRange)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.split_once('.') {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(unsigned),
    }
}

fn is_exponent(text: &str) -> bool {
    is_digits(text.strip_prefix(['-', '+']).unwrap_or(text))
}

/// The text of a JSON number, or of a JSON string that should hold one.
fn literal(value: &Value) -> Result<&str, FieldErrorCode> {
    match value {
        Value::Number(number) => Ok(number.as_str()),
        Value::String(text) => Ok(text),
        _ => Err(FieldErrorCode::WrongType),
    }
}

fn integer(value: &Value) -> Result<i64, FieldErrorCode> {
    let text = literal(value)?;
    if !is_digits(text.strip_prefix('-').unwrap_or(text)) {
        return Err(FieldErrorCode::WrongType);
    }
    text.parse().map_err(|_| FieldErrorCode::OutOfRange)
}

fn integer_within(value: &Value, range: std::ops::RangeInclusive<i64>) -> Result<i64, FieldErrorCode> {
    integer(value).and_then(|number| if range.contains(&number) { Ok(number) } else { Err(FieldErrorCode::OutOfRange) })
}

impl Field for Id {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        integer_within(&value, 1..=i64::MAX).map(Self)
    }
}

impl Field for Time {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        integer_within(&value, 0..=LAST_SECOND).map(Self)
    }
}

impl Field for Sequence {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        integer_within(&value, 0..=i64::MAX).map(Self)
    }
}

impl Field for i64 {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        integer(&value)
    }
}

impl Field for Decimal {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        literal(&value)?.parse()
    }
}

impl Field for bool {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        match &value {
            Value::Bool(flag) => Ok(*flag),
            _ => match literal(&value)? {
                "0" => Ok(false),
                "1" => Ok(true),
                _ => Err(FieldErrorCode::WrongType),
            },
        }
    }
}

/// Implements how readers see a number.
macro_rules! json_number {
    ($type:ty) => {
        impl ToJSON for $type {
            fn to_json(&self) -> Option<Value> {
                Some(Value::from(self.0.clone()))
            }
        }

        impl ParseFromJSON for $type {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                Self::parse(value.unwrap_or_default()).map_err(|code| ParseError::custom(code.as_str()))
            }
        }
    };
}

json_number!(Id);
json_number!(Time);
json_number!(Decimal);
inline_type!(Id, MetaSchema { minimum: Some(1.0), ..MetaSchema::new_with_format("integer", "int64") });
inline_type!(
    Time,
    MetaSchema {
        minimum: Some(0.0),
        maximum: Some(LAST_SECOND as f64),
        ..MetaSchema::new_with_format("integer", "int64")
    }
);
inline_type!(Decimal, MetaSchema::new_with_format("string", "decimal"));

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Decimal, Id, Time};
    use crate::model::{Field, FieldErrorCode};

    #[test]
    fn decimals_keep_their_digits() {
        for text in ["82.50000", "0.00000", "-3.33333", "7", "1234567890.12345"] {
            assert_eq!(Decimal::parse(json!(text)).unwrap().as_str(), text);
            let number: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(Decimal::parse(number).unwrap().as_str(), text);
        }
        assert_eq!(Decimal::parse(json!("1.5e2")).unwrap().as_str(), "150");
    }

    #[test]
    fn invalid_decimals_are_rejected() {
        for text in ["", " 1", "1 ", "abc", "1,5", ".5", "5.", "1.2.3", "NaN", "1_000", "--1", "1-1", "0x10", "e", "1e"]
        {
            assert_eq!(Decimal::parse(json!(text)), Err(FieldErrorCode::WrongType), "{text:?}");
        }
        for text in ["99999999999999999999999999999999", "0.12345678901234567890123456789012345", "1e400", "1e-400"] {
            assert_eq!(Decimal::parse(json!(text)), Err(FieldErrorCode::OutOfRange), "{text:?}");
        }
        assert_eq!(Decimal::parse(json!(true)), Err(FieldErrorCode::WrongType));
    }

    #[test]
    fn integers_come_as_number_or_string() {
        assert_eq!(Id::parse(json!("3")), Ok(Id(3)));
        assert_eq!(Id::parse(json!(3)), Ok(Id(3)));
        assert_eq!(Id::parse(json!(0)), Err(FieldErrorCode::OutOfRange));
        assert_eq!(Id::parse(json!("9223372036854775808")), Err(FieldErrorCode::OutOfRange));
        for wrong in [json!("3.0"), json!(3.5), json!("+3"), json!(""), json!("-"), json!(" 3"), json!([3]), json!({})]
        {
            assert_eq!(Id::parse(wrong.clone()), Err(FieldErrorCode::WrongType), "{wrong}");
        }
        assert_eq!(Time::parse(json!(253402300800_i64)), Err(FieldErrorCode::OutOfRange));
        assert_eq!(Time::parse(json!("0")), Ok(Time(0)));
    }

    #[test]
    fn booleans_come_in_three_forms() {
        for (value, flag) in [(json!(true), true), (json!("0"), false), (json!(1), true)] {
            assert_eq!(bool::parse(value), Ok(flag));
        }
        assert_eq!(bool::parse(json!("yes")), Err(FieldErrorCode::WrongType));
        assert_eq!(bool::parse(json!(2)), Err(FieldErrorCode::WrongType));
    }
}
