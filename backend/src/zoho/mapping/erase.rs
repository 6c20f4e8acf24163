//! What a record is in Zoho when its person was erased.

use serde_json::{Map, Value};

use super::{
    ModuleMapping, Owner, RenderError, Subject,
    fit::fit,
    render::{AS_IT_IS, cleared, field},
    source::Datum,
};
use crate::zoho::metadata::{Module, ModuleField};

/// What stands in a text that Zoho does not let us clear.
const ERASED: &str = "Erased";

/// The same where an address is wanted: of a domain that can never exist.
const ERASED_ADDRESS: &str = "erased@erased.invalid";

/// Whether a field holds what an erasure leaves in it.
pub(crate) fn is_erased(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.is_empty() || text == ERASED || text == ERASED_ADDRESS)
}

impl ModuleMapping {
    /// What to write over the record of an erased person: all that the mapping ever writes is cleared, what is written only at the
    /// creation too; then what is written when a record is gone. The key stays, so that the record is found again.
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
            if let Some(value) = fit(&constant.datum(), AS_IT_IS, field(metadata, name)?)? {
                record.insert(name.clone(), value);
            }
        }
        Ok(record)
    }

    /// Whether that is what is written into the field when a record is gone.
    pub(crate) fn writes_when_deleted(&self, field: &str, value: &Value) -> bool {
        let constants =
            self.deleted.iter().filter(|(name, _)| name == field).filter_map(|(_, constant)| constant.as_ref());
        constants.map(super::Constant::to_value).any(|constant| constant == *value)
    }
}

/// What is written over a field that cannot be cleared. None when it takes no text of ours: then a check finds it.
fn placeholder(field: &ModuleField) -> Option<Value> {
    let text = if field.data_type == "email" { ERASED_ADDRESS } else { ERASED };
    fit(&Datum::Text(text.into()), AS_IT_IS, field).ok().flatten()
}
