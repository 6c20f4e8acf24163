//! Rendering the record of an erased person.

use serde_json::{Map, Value};

use super::{
    ModuleMapping, Owner, RenderError, Subject,
    datum::Datum,
    fit::fit,
    render::{AS_IT_IS, cleared, field},
};
use crate::zoho::metadata::{Module, ModuleField};

/// Replaces a text that Zoho does not let us clear.
const ERASED: &str = "Erased";

/// Replaces an e-mail address, with a domain that can never exist.
const ERASED_ADDRESS: &str = "erased@erased.invalid";

/// Whether a value is what an erasure leaves behind.
pub(crate) fn is_erased(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.is_empty() || text == ERASED || text == ERASED_ADDRESS)
}

impl ModuleMapping {
    /// The fields to write over an erased person's record: everything that the mapping ever writes is cleared, even
    /// what is only written at creation; then the fields that mark a record as gone. The key stays, so that the record
    /// can be found again.
    pub fn render_erased(&self, subject: &Subject<'_>, metadata: &Module) -> Result<Map<String, Value>, RenderError> {
        let mut record = self.with_key(subject, metadata)?;
        for rule in self.rules.iter().filter(|rule| rule.owner != Owner::Zoho) {
            let field = field(metadata, &rule.field)?;
            if !field.system_mandatory {
                record.insert(rule.field.clone(), cleared(field)?);
            } else if let Some(value) = placeholder(field) {
                record.insert(rule.field.clone(), value);
            }
        }
        for (name, constant) in &self.deleted {
            let Some(constant) = constant else { continue };
            if let Some(value) = fit(&constant.datum(), AS_IT_IS, field(metadata, name)?)?.value {
                record.insert(name.clone(), value);
            }
        }
        Ok(record)
    }

    /// Whether the value is what we write into the field when a record is gone.
    pub(crate) fn writes_when_deleted(&self, field: &str, value: &Value) -> bool {
        let constants =
            self.deleted.iter().filter(|(name, _)| name == field).filter_map(|(_, constant)| constant.as_ref());
        constants.map(super::Constant::to_value).any(|constant| constant == *value)
    }
}

/// Overwrites a field that cannot be cleared. `None` when it takes no text; then a check will find the value.
fn placeholder(field: &ModuleField) -> Option<Value> {
    let text = if field.data_type == "email" { ERASED_ADDRESS } else { ERASED };
    fit(&Datum::Text(text.into()), AS_IT_IS, field).ok()?.value
}
