//! Rendering a record for Zoho.

use serde_json::{Map, Value};

use super::{
    Constant, ModuleMapping, OnDelete, Owner, Related, RenderError, StateRef, Subject, Write,
    fit::fit,
    key_value,
    rule::Form,
    source::{Datum, Path},
};
use crate::zoho::metadata::{Module, ModuleField};

/// The form of keys and constants: unchanged, or an error.
pub(super) const AS_IT_IS: Form = Form { never_cut: true, decimals: None, date_only: false };

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
        self.reads(|path| matches!(path, Path::User(_)))
    }

    /// Whether rendering reads the course's fields; for a course record, its own.
    pub fn reads_course(&self) -> bool {
        self.reads(|path| matches!(path, Path::Course(_)))
    }

    fn reads(&self, condition: fn(&Path) -> bool) -> bool {
        self.rules.iter().any(|rule| rule.owner != Owner::Zoho && rule.paths().iter().any(condition))
    }

    /// The record's fields as Zoho accepts them, with the key and without the tracking fields.
    pub fn render(
        &self,
        subject: &Subject<'_>,
        write: Write,
        metadata: &Module,
    ) -> Result<Map<String, Value>, RenderError> {
        let mut record = self.with_key(subject, metadata)?;
        for rule in &self.rules {
            match rule.owner {
                Owner::Zoho => continue,
                Owner::First if write != Write::Create => continue,
                Owner::First | Owner::Moodle => {}
            }
            let field = field(metadata, &rule.field)?;
            let value = match rule.value(subject) {
                Some(datum) => fit(&datum, rule.form, field)?,
                None => None,
            };
            match value {
                Some(value) => _ = record.insert(rule.field.clone(), value),
                None if field.read_only => return Err(RenderError::ReadOnly { field: rule.field.clone() }),
                None if field.system_mandatory => return Err(RenderError::Mandatory { field: rule.field.clone() }),
                // A checkbox cannot be cleared: without a value from Moodle it stays.
                None if rule.clears() && !field.is_boolean() => _ = record.insert(rule.field.clone(), Value::Null),
                None => {}
            }
        }
        if write == Write::Create
            && let Some(field) = metadata.mandatory().find(|field| !record.contains_key(&field.api_name))
        {
            return Err(RenderError::NotMapped { field: field.api_name.clone() });
        }
        Ok(record)
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
                    Some(constant) => fit(&constant.datum(), AS_IT_IS, field)?.unwrap_or_default(),
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
        let value = fit(&key, AS_IT_IS, field(metadata, &self.key)?)?;
        Ok(Map::from_iter([(self.key.clone(), value.unwrap_or_default())]))
    }
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
