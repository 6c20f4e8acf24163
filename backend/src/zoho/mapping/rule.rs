//! How a field in Zoho gets its value.

use std::{borrow::Cow, collections::BTreeMap};

use chrono_tz::Tz;
use rust_decimal::Decimal as Number;

use super::{
    Subject,
    datum::{Datum, Shape},
    html,
    source::Path,
    text::text,
};
use crate::model::{Kind, ParityPolicy};

/// A field in Zoho, and everything that the mapping says about it.
pub(crate) struct Rule {
    /// The field's API name.
    pub(crate) field: String,
    pub(super) source: ValueSource,
    pub(super) transform: Transform,
    pub(crate) owner: Owner,
    pub(super) null: Null,
    pub(super) form: Form,
    pub(crate) hint: Hint,
    /// Who decides when somebody changed it in Zoho; `None` as the module says.
    pub(crate) parity: Option<ParityPolicy>,
}

/// The source of a value.
pub(super) enum ValueSource {
    /// The first that is not empty.
    First(Vec<Path>),
    /// All that are not empty.
    Join { parts: Vec<Path>, with: String },
    /// Always the same.
    Constant(Constant),
    /// The id in Zoho of the record's person or course.
    Lookup(Related),
}

/// The target of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Related {
    User,
    Course,
}

impl Related {
    /// The target's kind.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::User => Kind::User,
            Self::Course => Kind::Course,
        }
    }
}

/// A value written in the mapping file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    Text(String),
    Number(Number),
    Bool(bool),
}

/// A transformation of the value.
pub(super) enum Transform {
    None,
    /// HTML becomes text.
    Plain,
    Map {
        words: BTreeMap<String, Constant>,
        otherwise: Option<Constant>,
    },
    /// Highest first.
    Bands(Vec<(Number, Constant)>),
}

/// Which side owns the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Moodle,
    Zoho,
    First,
}

/// What happens in Zoho when Moodle has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Null {
    Clear,
    Keep,
}

/// The form in which the value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// A text that is too long is an error, instead of being cut.
    pub(super) never_cut: bool,
    /// Decimal places to round to.
    pub(super) decimals: Option<u32>,
    /// In text fields, times are written as dates.
    pub(super) date_only: bool,
    /// The text is the code of a country, as Moodle has it.
    pub(super) country: bool,
    /// Of dates.
    pub(super) time_zone: Tz,
}

/// How `zoho setup` creates the field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hint {
    pub(crate) data_type: Option<FieldType>,
    pub(crate) length: Option<u32>,
    pub(crate) values: Vec<String>,
}

/// The types of fields that `zoho setup` can create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldType {
    Text,
    Textarea,
    Email,
    Phone,
    Integer,
    Bigint,
    Decimal,
    Boolean,
    Date,
    Datetime,
    Picklist,
    Lookup,
}

impl FieldType {
    /// All types with their names in the mapping file.
    pub(super) const WORDS: [(&str, Self); 12] = [
        ("text", Self::Text),
        ("textarea", Self::Textarea),
        ("email", Self::Email),
        ("phone", Self::Phone),
        ("integer", Self::Integer),
        ("bigint", Self::Bigint),
        ("decimal", Self::Decimal),
        ("boolean", Self::Boolean),
        ("date", Self::Date),
        ("datetime", Self::Datetime),
        ("picklist", Self::Picklist),
        ("lookup", Self::Lookup),
    ];

    /// The name in Zoho's metadata.
    pub(crate) fn zoho_name(self) -> &'static str {
        match self {
            Self::Decimal => "double",
            other => Self::WORDS.iter().find(|(_, each)| *each == other).map_or("text", |(word, _)| word),
        }
    }
}

/// The default decimal places of percentages.
const PERCENTAGE_DECIMALS: u32 = 2;

impl Constant {
    pub(super) fn datum(&self) -> Datum<'_> {
        match self {
            Self::Text(text) => Datum::Text(Cow::Borrowed(text)),
            Self::Number(number) => Datum::Number(*number),
            Self::Bool(flag) => Datum::Bool(*flag),
        }
    }

    /// The value as Zoho returns it.
    pub(super) fn to_value(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => serde_json::from_str(&number.normalize().to_string()).unwrap_or_default(),
            Self::Bool(flag) => (*flag).into(),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Text(_) => Shape::Text,
            Self::Number(number) if number.is_integer() => Shape::Integer,
            Self::Number(_) => Shape::Decimal,
            Self::Bool(_) => Shape::Bool,
        }
    }
}

impl Rule {
    /// The value for `subject`; `None` when Moodle has none.
    pub(super) fn value<'a>(&'a self, subject: &Subject<'a>) -> Option<Datum<'a>> {
        let datum = match &self.source {
            ValueSource::First(paths) => paths.iter().find_map(|path| path.read(subject)),
            ValueSource::Join { parts, with } => join(parts, with, subject),
            ValueSource::Constant(constant) => Some(constant.datum()),
            ValueSource::Lookup(Related::User) => subject.user_id.map(Datum::Reference),
            ValueSource::Lookup(Related::Course) => subject.course_id.map(Datum::Reference),
        };
        self.transform.apply(datum)
    }

    /// The paths that it reads.
    pub(super) fn paths(&self) -> &[Path] {
        match &self.source {
            ValueSource::First(paths) | ValueSource::Join { parts: paths, .. } => paths,
            ValueSource::Constant(_) | ValueSource::Lookup(_) => &[],
        }
    }

    /// The names of what it reads, in the mapping of `kind`.
    pub(crate) fn sources(&self, kind: Kind) -> Vec<String> {
        self.paths().iter().map(|path| path.name(kind)).collect()
    }

    /// The target, if it is a lookup.
    pub(crate) fn lookup(&self) -> Option<Related> {
        if let ValueSource::Lookup(related) = self.source { Some(related) } else { None }
    }

    /// Whether texts must not be cut, so that the field should be long enough for any text.
    pub(crate) fn never_cut(&self) -> bool {
        self.form.never_cut
    }

    /// Whether a time is written as a date.
    pub(crate) fn is_date(&self) -> bool {
        self.form.date_only
    }

    /// Whether the value is the code of a country.
    pub(crate) fn is_country(&self) -> bool {
        self.form.country
    }

    /// Whether a number is rounded to a whole one.
    pub(crate) fn is_whole(&self) -> bool {
        self.form.decimals == Some(0)
    }

    /// Whether a missing value clears the field in Zoho.
    pub(crate) fn clears(&self) -> bool {
        self.null == Null::Clear
    }

    /// Sets the defaults that follow from the source.
    pub(super) fn settle(mut self) -> Self {
        let is_percentage = self.paths().iter().any(|path| matches!(path, Path::Percentage));
        if is_percentage && self.form.decimals.is_none() {
            self.form.decimals = Some(PERCENTAGE_DECIMALS);
        }
        self.form.country = matches!((&self.source, &self.transform), (ValueSource::First(paths), Transform::None)
            if paths.iter().all(|path| path.is_country()));
        self
    }

    /// The shapes that the value can have; empty for a lookup.
    pub(crate) fn shapes(&self) -> Vec<Shape> {
        if let Some(constants) = self.constants() {
            return constants.iter().map(|constant| constant.shape()).collect();
        }
        match &self.source {
            ValueSource::First(paths) => paths.iter().map(|path| path.shape()).collect(),
            ValueSource::Join { .. } => vec![Shape::Text],
            ValueSource::Constant(_) | ValueSource::Lookup(_) => Vec::new(),
        }
    }

    /// All possible values, if they are written in the mapping file.
    pub(crate) fn constants(&self) -> Option<Vec<&Constant>> {
        match (&self.transform, &self.source) {
            (Transform::Map { words, otherwise }, _) => Some(words.values().chain(otherwise).collect()),
            (Transform::Bands(bands), _) => Some(bands.iter().map(|(_, constant)| constant).collect()),
            (_, ValueSource::Constant(constant)) => Some(vec![constant]),
            _ => None,
        }
    }

    /// All possible texts, if there are only a few.
    pub(crate) fn words(&self) -> Option<Vec<&str>> {
        if let Some(constants) = self.constants() {
            let text = |constant: &'_ &Constant| matches!(constant, Constant::Text(_));
            if !constants.iter().all(text) {
                return None;
            }
            let mut words = Vec::new();
            for constant in constants {
                if let Constant::Text(text) = constant
                    && !words.contains(&text.as_str())
                {
                    words.push(text.as_str());
                }
            }
            return Some(words);
        }
        match self.paths() {
            [path] if !path.values().is_empty() => Some(path.values().to_vec()),
            _ => None,
        }
    }
}

fn join<'a>(parts: &[Path], with: &str, subject: &Subject<'a>) -> Option<Datum<'a>> {
    let mut joined = String::new();
    for datum in parts.iter().filter_map(|path| path.read(subject)) {
        if !joined.is_empty() {
            joined.push_str(with);
        }
        joined.push_str(&text(&datum));
    }
    (!joined.is_empty()).then_some(Datum::Text(Cow::Owned(joined)))
}

impl Transform {
    fn apply<'a>(&'a self, datum: Option<Datum<'a>>) -> Option<Datum<'a>> {
        match (self, datum?) {
            (Self::None, datum) => Some(datum),
            (Self::Plain, Datum::Text(Cow::Borrowed(html))) => not_empty(html::plain(html)),
            (Self::Plain, Datum::Text(Cow::Owned(html))) => not_empty(Cow::Owned(html::plain(&html).into_owned())),
            (Self::Plain, datum) => Some(datum),
            (Self::Map { words, otherwise }, datum) => {
                words.get(text(&datum).as_ref()).or(otherwise.as_ref()).map(Constant::datum)
            }
            (Self::Bands(bands), datum) => {
                let number = datum.number()?;
                bands.iter().find(|(from, _)| number >= *from).map(|(_, constant)| constant.datum())
            }
        }
    }
}

fn not_empty(text: Cow<'_, str>) -> Option<Datum<'_>> {
    (!text.is_empty()).then_some(Datum::Text(text))
}
