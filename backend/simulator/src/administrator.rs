//! What a person does as administrator, in Zoho's pages of settings: under `/__sim/`.

use serde::{Deserialize, Deserializer};

use super::schema::{Field, Organisation, Unique};

/// What an administrator set about a field, beyond what it was created with.
#[derive(Clone, Debug, Default)]
pub(super) struct Administered {
    /// On no layout.
    pub(super) unused: bool,
    /// The layout demands a value. The field's own metadata does not say so.
    pub(super) by_layout: bool,
    /// The user's profile does not see it.
    pub(super) hidden: bool,
    /// The organisation's privacy settings restrict it.
    pub(super) restricted: bool,
    /// People write it, programs do not, as `operation_type` says.
    pub(super) not_by_api: bool,
    /// The API's values are ignored, although the field's metadata says nothing of it.
    pub(super) ignored: bool,
}

/// A change of a field: what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldChange {
    /// `null`: not unique.
    #[serde(default, deserialize_with = "said")]
    unique: Option<Option<NewUnique>>,
    mandatory: Option<bool>,
    read_only: Option<bool>,
    unused: Option<bool>,
    hidden: Option<bool>,
    restricted: Option<bool>,
    not_by_api: Option<bool>,
    ignored: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUnique {
    case_sensitive: bool,
}

/// Tells `null` from nothing.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Changes a field, named as `Module/Field`.
pub(super) fn change_field(organisation: &mut Organisation, place: &str, change: &FieldChange) -> Result<(), String> {
    let field = field(organisation, place)?;
    if let Some(unique) = &change.unique {
        field.unique = unique.as_ref().map(|unique| Unique { case_sensitive: unique.case_sensitive });
    }
    if let Some(mandatory) = change.mandatory {
        field.mandatory = mandatory;
        field.administered.by_layout = mandatory;
    }
    let administered = &mut field.administered;
    if let Some(hidden) = change.hidden {
        // What a profile does not see, it does not write either.
        (administered.hidden, field.read_only) = (hidden, hidden);
    }
    field.read_only = change.read_only.unwrap_or(field.read_only);
    administered.unused = change.unused.unwrap_or(administered.unused);
    administered.restricted = change.restricted.unwrap_or(administered.restricted);
    administered.not_by_api = change.not_by_api.unwrap_or(administered.not_by_api);
    administered.ignored = change.ignored.unwrap_or(administered.ignored);
    Ok(())
}

/// Deletes a field.
pub(super) fn delete_field(organisation: &mut Organisation, place: &str) -> Result<(), String> {
    let name = field(organisation, place)?.api_name.clone();
    let module = place.split_once('/').and_then(|(module, _)| organisation.modules.get_mut(module));
    if let Some(module) = module {
        module.fields.remove(&name);
    }
    Ok(())
}

fn field<'a>(organisation: &'a mut Organisation, place: &str) -> Result<&'a mut Field, String> {
    let (module, field) = place.split_once('/').ok_or("a field is named as Module/Field")?;
    let found = organisation.modules.get_mut(module).and_then(|module| module.fields.get_mut(field));
    found.ok_or_else(|| format!("{module} has no field {field}"))
}
