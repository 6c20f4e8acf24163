//! Rendering a record for Zoho.

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::{
    Constant, ModuleMapping, OnDelete, Owner, Related, RenderError, Rule, StateRef, Subject, Write,
    datum::{Datum, Shape},
    fit::{Fitted, fit},
    key_value,
    rule::Form,
    source::Path,
    text::text,
};
use crate::{
    model::Remark,
    zoho::metadata::{Module, ModuleField},
};

/// The form of keys and constants: unchanged, or an error.
pub(super) const AS_IT_IS: Form =
    Form { never_cut: true, decimals: None, date_only: false, country: false, time_zone: Tz::UTC };

/// A record as Zoho accepts it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rendered {
    /// The fields to write.
    pub fields: Map<String, Value>,
    /// What was left out of them.
    pub remarks: Vec<Remark>,
}

impl ModuleMapping {
    /// The value of the key field.
    pub fn key_value(&self, site: &str, state: StateRef<'_>) -> String {
        key_value(site, state)
    }

    /// Whether the person must be in Zoho first.
    pub fn needs_user(&self) -> bool {
        self.looks_up(Related::User)
    }

    /// Whether the course must be in Zoho first.
    pub fn needs_course(&self) -> bool {
        self.looks_up(Related::Course)
    }

    fn looks_up(&self, related: Related) -> bool {
        self.rules.iter().any(|rule| rule.owner != Owner::Zoho && rule.lookup() == Some(related))
    }

    /// Whether rendering reads the person's fields; for a user record, its own.
    pub fn reads_user(&self) -> bool {
        self.reads(Path::is_of_user)
    }

    /// Whether rendering reads the course's fields; for a course record, its own.
    pub fn reads_course(&self) -> bool {
        self.reads(Path::is_of_course)
    }

    fn reads(&self, condition: fn(&Path) -> bool) -> bool {
        self.rules.iter().any(|rule| rule.owner != Owner::Zoho && rule.paths().iter().any(condition))
    }

    /// Whether any time is written as a date, which depends on the time zone.
    pub fn writes_dates(&self, metadata: &Module) -> bool {
        let may_be_time = |rule: &&Rule| rule.shapes().iter().any(|shape| shape.may_be(&[Shape::Time]));
        self.rules.iter().filter(|rule| rule.owner != Owner::Zoho).filter(may_be_time).any(|rule| {
            rule.is_date() || metadata.fields.get(&rule.field).is_some_and(|field| field.data_type == "date")
        })
    }

    /// The record's fields as Zoho accepts them, with the key and without the tracking fields. An optional value that
    /// does not fit is left out, so that Zoho keeps what it has, with a remark.
    pub fn render(&self, subject: &Subject<'_>, write: Write, metadata: &Module) -> Result<Rendered, RenderError> {
        let mut record = self.with_key(subject, metadata)?;
        let mut remarks = Vec::new();
        for rule in &self.rules {
            match rule.render(subject, write, metadata)? {
                FieldOutcome::Written(value, remark) => {
                    remarks.extend(remark);
                    record.insert(rule.field.clone(), value);
                }
                FieldOutcome::LeftOut(remark) => remarks.push(remark),
                FieldOutcome::Kept(_) => {}
            }
        }
        if write == Write::Create
            && let Some(field) = metadata.mandatory().find(|field| !record.contains_key(&field.api_name))
        {
            return Err(RenderError::NotMapped { field: field.api_name.clone() });
        }
        Ok(Rendered { fields: record, remarks })
    }

    /// The fields to write when the record is gone in Moodle; only the key when there is nothing to write.
    pub fn render_deleted(&self, subject: &Subject<'_>, metadata: &Module) -> Result<Map<String, Value>, RenderError> {
        let mut record = self.with_key(subject, metadata)?;
        if self.on_delete == OnDelete::Blank {
            for rule in self.rules.iter().filter(|rule| rule.owner == Owner::Moodle) {
                let field = field(metadata, &rule.field)?;
                if !field.system_mandatory {
                    record.insert(rule.field.clone(), cleared(field)?);
                }
            }
        }
        if matches!(self.on_delete, OnDelete::Blank | OnDelete::Mark) {
            for (name, constant) in &self.deleted {
                let field = field(metadata, name)?;
                let value = match constant {
                    Some(constant) => fit(&constant.datum(), AS_IT_IS, field)?.value.unwrap_or_default(),
                    None if field.system_mandatory => return Err(RenderError::Mandatory { field: name.clone() }),
                    None => cleared(field)?,
                };
                record.insert(name.clone(), value);
            }
        }
        Ok(record)
    }

    pub(super) fn with_key(&self, subject: &Subject<'_>, metadata: &Module) -> Result<Map<String, Value>, RenderError> {
        let key = Datum::Text(key_value(subject.site, subject.state).into());
        let fitted = fit(&key, AS_IT_IS, field(metadata, &self.key)?)?;
        Ok(Map::from_iter([(self.key.clone(), fitted.value.unwrap_or_default())]))
    }
}

/// What becomes of one field in a write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldOutcome {
    /// It is written; with a remark if not all of the value fits.
    Written(Value, Option<Remark>),
    /// The value does not fit, and the record can do without it.
    LeftOut(Remark),
    /// Zoho keeps what it has.
    Kept(KeptBecause),
}

/// Why a field is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptBecause {
    /// The field is Zoho's.
    OfZoho,
    /// It is only written when the record is created.
    OnlyAtCreation,
    /// Moodle has no value for it.
    NoValue,
}

impl Rule {
    /// What becomes of its field.
    pub(crate) fn render(
        &self,
        subject: &Subject<'_>,
        write: Write,
        metadata: &Module,
    ) -> Result<FieldOutcome, RenderError> {
        match self.owner {
            Owner::Zoho => return Ok(FieldOutcome::Kept(KeptBecause::OfZoho)),
            Owner::First if write != Write::Create => return Ok(FieldOutcome::Kept(KeptBecause::OnlyAtCreation)),
            Owner::First | Owner::Moodle => {}
        }
        let field = field(metadata, &self.field)?;
        let form = Form { time_zone: subject.time_zone, ..self.form };
        let fitted = self.value(subject).map_or(Ok(Fitted::default()), |datum| fit(&datum, form, field));
        let fitted = match fitted {
            Err(error) if self.may_be_left_out(field, &error) => return Ok(FieldOutcome::LeftOut(error.remark())),
            fitted => fitted?,
        };
        let remark = fitted.shortened.then(|| shortened(field));
        Ok(match fitted.value {
            Some(value) => FieldOutcome::Written(value, remark),
            None if field.read_only => return Err(RenderError::ReadOnly { field: self.field.clone() }),
            None if field.system_mandatory => return Err(RenderError::Mandatory { field: self.field.clone() }),
            // A checkbox cannot be cleared: without a value from Moodle it stays.
            None if self.clears() && !field.is_boolean() => FieldOutcome::Written(Value::Null, remark),
            None => FieldOutcome::Kept(KeptBecause::NoValue),
        })
    }

    /// The value as the mapping makes it, before it is known what fits the field.
    pub(crate) fn value_in_words(&self, subject: &Subject<'_>) -> Option<String> {
        self.value(subject).map(|datum| text(&datum).into_owned())
    }

    /// Whether a record is delivered without this field's value, which does not fit because of `error`: not if Zoho or
    /// the mapping file insists on it.
    fn may_be_left_out(&self, field: &ModuleField, error: &RenderError) -> bool {
        let as_told = matches!(error, RenderError::TooLong { .. }) && self.form.never_cut;
        self.is_optional(field) && !as_told && !error.is_of_rule()
    }

    /// Whether a record can do without this field. A lookup says whose it is.
    pub(crate) fn is_optional(&self, field: &ModuleField) -> bool {
        !field.system_mandatory && self.lookup().is_none()
    }
}

/// The remark about a telephone number to which more belonged.
fn shortened(field: &ModuleField) -> Remark {
    let message = format!(
        "Of the value for {}, only the first telephone number was written. Zoho does not accept the rest; enter one number \
         in Moodle.",
        field.api_name
    );
    Remark { field: field.api_name.clone(), code: "shortened".to_owned(), message }
}

/// The value of an empty field.
pub(super) fn cleared(field: &ModuleField) -> Result<Value, RenderError> {
    if field.read_only {
        return Err(RenderError::ReadOnly { field: field.api_name.clone() });
    }
    Ok(if field.is_boolean() { Value::Bool(false) } else { Value::Null })
}

pub(super) fn field<'a>(metadata: &'a Module, name: &str) -> Result<&'a ModuleField, RenderError> {
    metadata.fields.get(name).ok_or_else(|| RenderError::NoSuchField { field: name.to_owned() })
}

impl Constant {
    /// Why the field would reject it, if so.
    pub(crate) fn refused_by(&self, field: &ModuleField) -> Option<RenderError> {
        fit(&self.datum(), AS_IT_IS, field).err()
    }
}
