//! Whether the records that come have room in the organisation.

use std::collections::BTreeMap;

use super::{
    super::{
        client::{CallError, Client},
        mapping::Mapping,
    },
    edition::limits,
};
use crate::model::Kind;

/// How many records there are, how many come, and how many the edition allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// By module.
    pub modules: BTreeMap<String, ModuleRoom>,
    /// The most records of all modules together, if known.
    pub limit: Option<u64>,
}

/// The records of a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModuleRoom {
    /// Those that it has, without its recycle bin; `None` if they cannot be counted.
    pub held: Option<u64>,
    /// Those that would be created.
    pub coming: u64,
}

impl Room {
    /// Counts the records of the mapping's modules: one call for each. `absent` are those that are not in Zoho yet.
    pub async fn read(client: &Client, mapping: &Mapping, absent: &[(Kind, u64)]) -> Result<Self, CallError> {
        let mut room = Self { limit: limits(client.org().await?.edition.as_deref()).records, ..Self::default() };
        for (kind, table) in mapping.modules() {
            let coming: u64 = absent.iter().filter(|(other, _)| *other == kind).map(|(_, count)| count).sum();
            if let Some(module) = room.modules.get_mut(&table.module) {
                module.coming += coming;
                continue;
            }
            let held = match client.count(&table.module).await {
                Ok(count) => Some(count),
                // Not there, or not to be asked: the counts of the others still help.
                Err(CallError::Configuration { .. } | CallError::Invalid { .. }) => None,
                Err(error) => return Err(error),
            };
            room.modules.insert(table.module.clone(), ModuleRoom { held, coming });
        }
        Ok(room)
    }

    /// What is wrong, if there is not enough room.
    pub fn warning(&self) -> Option<String> {
        let limit = self.limit?;
        let held: u64 = self.modules.values().filter_map(|module| module.held).sum();
        let coming: u64 = self.modules.values().map(|module| module.coming).sum();
        (held + coming > limit).then(|| {
            format!(
                "The organisation's edition has room for some {limit} records of all modules, those in the recycle bin included. These \
                 modules have {held}, and {coming} more come: Zoho will refuse some. Deliver fewer ([filter] of the mapping file), delete \
                 records in Zoho, or choose a larger edition."
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ModuleRoom, Room};

    #[test]
    fn too_many_records_are_warned_of() {
        let of = |held, coming| ModuleRoom { held, coming };
        let mut room = Room { limit: Some(100), ..Room::default() };
        room.modules.insert("A".to_owned(), of(Some(60), 40));
        assert_eq!(room.warning(), None);
        room.modules.insert("B".to_owned(), of(None, 1));
        assert!(room.warning().is_some_and(|warning| warning.contains("have 60, and 41 more")));
        room.limit = None;
        assert_eq!(room.warning(), None, "nobody knows the limit");
    }
}
