//! Reads the fields of a JSON object so that every invalid field is found, and no value is ever echoed.

use serde_json::{Map, Value};

use crate::limits;

/// Why a field is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum FieldErrorCode {
    /// The field is missing or null.
    Required,
    /// The value has the wrong JSON type, or is not a number where one is expected.
    WrongType,
    /// The number is too small, too large or has too many digits.
    OutOfRange,
    /// The text or the list is too long.
    TooLong,
    /// The text holds the character U+0000, which PostgreSQL cannot store.
    InvalidCharacter,
    /// The value is not one of those allowed.
    UnknownValue,
}

impl FieldErrorCode {
    /// The code used in problem documents.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// An explanation for people.
    pub fn detail(self) -> &'static str {
        match self {
            Self::Required => "This field is required and must not be null.",
            Self::WrongType => "The value has the wrong type; see the schema of this field.",
            Self::OutOfRange => "The number is outside the range of this field.",
            Self::TooLong => "The value is longer than this field allows.",
            Self::InvalidCharacter => "The text holds the character U+0000, which cannot be stored.",
            Self::UnknownValue => "The value is not one of those allowed; see the schema of this field.",
        }
    }
}

/// One invalid field: where it is and why it is invalid, never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field.
    pub pointer: String,
    /// Why it is invalid.
    pub code: FieldErrorCode,
}

impl FieldError {
    /// An error at `pointer`.
    pub fn new(pointer: impl Into<String>, code: FieldErrorCode) -> Self {
        Self { pointer: pointer.into(), code }
    }

    /// The same error, with its pointer in an outer document.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

/// A type that a field of an event can have.
pub trait Field: Sized {
    /// Reads the value, which is never `null`: [`Fields`] handles that.
    fn parse(value: Value) -> Result<Self, FieldErrorCode>;
}

impl Field for String {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        match value {
            Value::String(text) if text.len() > limits::TEXT_BYTES => Err(FieldErrorCode::TooLong),
            Value::String(text) if text.contains('\0') => Err(FieldErrorCode::InvalidCharacter),
            Value::String(text) => Ok(text),
            _ => Err(FieldErrorCode::WrongType),
        }
    }
}

/// The fields of one JSON object, taken one by one; collects their errors.
pub struct Fields {
    map: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Starts reading `map`.
    pub fn new(map: Map<String, Value>) -> Self {
        Self { map, errors: Vec::new() }
    }

    /// Takes a required field. `None` means that an error was recorded.
    pub fn required<T: Field>(&mut self, name: &str) -> Option<T> {
        match self.optional(name) {
            Some(None) => {
                self.add_error(name, FieldErrorCode::Required);
                None
            }
            Some(found) => found,
            None => None,
        }
    }

    /// Takes a field that may be missing or null. The outer `None` means that an error was recorded.
    pub fn optional<T: Field>(&mut self, name: &str) -> Option<Option<T>> {
        match self.map.remove(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => match T::parse(value) {
                Ok(parsed) => Some(Some(parsed)),
                Err(code) => {
                    self.add_error(name, code);
                    None
                }
            },
        }
    }

    /// Drops a field that is not part of the record.
    pub fn ignore(&mut self, name: &str) {
        self.map.remove(name);
    }

    fn add_error(&mut self, name: &str, code: FieldErrorCode) {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        self.errors.push(FieldError::new(format!("/{escaped}"), code));
    }

    /// Finishes: the fields that were not taken, or all errors.
    pub fn finish(self) -> Result<Option<Map<String, Value>>, Vec<FieldError>> {
        if self.errors.is_empty() { Ok(Some(self.map).filter(|rest| !rest.is_empty())) } else { Err(self.errors) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{FieldErrorCode, Fields};

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(map) => Fields::new(map),
            _ => panic!("an object is needed"),
        }
    }

    #[test]
    fn every_invalid_field_is_found() {
        let mut fields = fields(json!({"a": 1, "b": "x\u{0}", "c": null, "d": "1", "other": [1]}));
        assert_eq!(fields.required::<String>("a"), None);
        assert_eq!(fields.optional::<String>("b"), None);
        assert_eq!(fields.required::<i64>("c"), None);
        assert_eq!(fields.required::<i64>("d"), Some(1));
        assert_eq!(fields.optional::<i64>("absent"), Some(None));
        let errors = fields.finish().unwrap_err();
        let found: Vec<_> = errors.iter().map(|error| (error.pointer.as_str(), error.code)).collect();
        assert_eq!(
            found,
            [
                ("/a", FieldErrorCode::WrongType),
                ("/b", FieldErrorCode::InvalidCharacter),
                ("/c", FieldErrorCode::Required)
            ]
        );
    }

    #[test]
    fn fields_not_taken_are_kept() {
        let mut fields = fields(json!({"a": "1", "other": [1]}));
        assert_eq!(fields.required::<i64>("a"), Some(1));
        assert_eq!(Value::Object(fields.finish().unwrap().unwrap()), json!({"other": [1]}));
    }
}
