//! Checking that erased people's data is still gone from Zoho.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Zoho, decision::Leaves, render::leaves};
use crate::{
    model::{ErasurePolicy, Id, Kind},
    store::{ErasureRemainder, RemoteRecord},
    zoho::{
        client::CallError,
        mapping::{ModuleMapping, Owner, is_erased, key_of_user},
    },
};

/// The most fields in one reading call; Zoho's limit.
const FIELDS: usize = 50;

/// The most timelines of one module that one check reads: each costs a call and a credit.
const TIMELINES: usize = 20;

impl Zoho {
    /// What Zoho still has about an erased person: our fields with values, and records that should be gone. Without the
    /// values.
    pub async fn remains(
        &self,
        policy: ErasurePolicy,
        user_key: &str,
        records: &[RemoteRecord],
    ) -> Result<Vec<ErasureRemainder>, CallError> {
        let mut findings = BTreeMap::new();
        for (kind, module) in self.mapping.modules().filter(|(kind, _)| *kind != Kind::Course) {
            let mut ids: Vec<String> =
                records.iter().filter(|record| record.kind == kind.as_str()).map(|r| r.remote_id.clone()).collect();
            ids.dedup();
            if kind == Kind::User {
                let key = module.key.as_str();
                let found = self.client.find_equal(&module.module, key, &[user_key.to_owned()], &["id"]).await?;
                let other = found.records.iter().filter_map(|record| record.get("id")?.as_str()).map(str::to_owned);
                ids.extend(other.filter(|id| !ids.contains(id)).collect::<Vec<_>>());
            }
            for place in self.module_remains(module, leaves(policy, kind), &ids).await? {
                *findings.entry(place).or_insert(0) += 1;
            }
        }
        Ok(findings.into_iter().map(|(place, count)| ErasureRemainder { place, count }).collect())
    }

    /// Removes an erased person's deleted records from the recycle bin.
    pub async fn purge(&self, records: &[RemoteRecord]) -> Result<(), CallError> {
        for record in records.iter().filter(|record| record.kind != Kind::Course.as_str()) {
            self.client.purge(&record.remote_id).await?;
        }
        Ok(())
    }

    /// Where Zoho's timelines still show earlier values of an erased person's records. Of many records of one kind it
    /// looks at a few: all were treated alike.
    pub async fn earlier_values(&self, records: &[RemoteRecord]) -> Result<Vec<ErasureRemainder>, CallError> {
        let mut found = Vec::new();
        for (kind, module) in self.mapping.modules().filter(|(kind, _)| *kind != Kind::Course) {
            let of_kind = records.iter().filter(|record| record.kind == kind.as_str());
            let mut count = 0;
            for record in of_kind.take(TIMELINES) {
                count += u64::from(self.client.shows_earlier_values(&module.module, &record.remote_id).await?);
            }
            let place = format!("{} (timeline)", module.module);
            found.extend((count > 0).then_some(ErasureRemainder { place, count }));
        }
        Ok(found)
    }

    async fn module_remains(
        &self,
        module: &ModuleMapping,
        leaves: Leaves,
        ids: &[String],
    ) -> Result<Vec<String>, CallError> {
        let name = &module.module;
        let mut places = Vec::new();
        if ids.is_empty() {
            return Ok(places);
        }
        if leaves == Leaves::Nothing {
            let found = self.client.get(name, ids, &["id"]).await?;
            places.extend(found.iter().map(|_| format!("{name} (a record that was deleted)")));
            return Ok(places);
        }
        let fields: Vec<&str> =
            module.rules.iter().filter(|rule| rule.owner != Owner::Zoho).map(|rule| rule.field.as_str()).collect();
        for fields in fields.chunks(FIELDS) {
            for record in self.client.get(name, ids, fields).await? {
                let held =
                    |field: &&&str| !is_empty(&record, field) && !module.writes_when_deleted(field, &record[**field]);
                places.extend(fields.iter().filter(held).map(|field| format!("{name}.{field}")));
            }
        }
        Ok(places)
    }
}

fn is_empty(record: &Map<String, Value>, field: &str) -> bool {
    match record.get(field) {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::Array(values)) => values.is_empty(),
        Some(value) => is_erased(value),
    }
}

/// The key of a person's record in Zoho.
pub fn user_key(site: &str, userid: Id) -> String {
    key_of_user(site, userid)
}
