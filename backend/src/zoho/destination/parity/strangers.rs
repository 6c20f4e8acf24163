//! Records in Zoho that have a key of ours, but which no item here writes.

use serde_json::{Map, Value};

use super::ParityError;
use crate::{
    delivery::Destination,
    model::{FindingSort, FoundBy, Id, Kind, RecordKey},
    store::NewFinding,
    zoho::{destination::Zoho, mapping::ModuleMapping},
};

impl Zoho {
    /// Keeps those of these remote records, by id, that are doubles of ours, or that no record here has the key of.
    /// Returns how many. Those of other installations are theirs.
    pub(super) async fn judge_strangers<'a>(
        &self,
        (kind, module): (Kind, &ModuleMapping),
        strangers: impl Iterator<Item = (&'a String, &'a Map<String, Value>)>,
        found_by: FoundBy,
    ) -> Result<u64, ParityError> {
        let keyed: Vec<(&String, &str)> = strangers
            .filter_map(|(id, record)| Some((id, record.get(&module.key)?.as_str()?)))
            .filter(|(_, key)| !key.is_empty())
            .collect();
        if keyed.is_empty() {
            return Ok(0);
        }
        let sites = self.store.site_names().await?;
        let mut found = Vec::new();
        for (id, text) in keyed {
            let Some((site, rest)) = text.split_once(':') else { continue };
            let Some(site_id) = sites.iter().find(|(_, name)| *name == site).map(|(id, _)| *id) else { continue };
            let key = self.key_of(kind, site_id, rest).await?;
            let Some((sort, key)) = self.sort_of(key, id).await? else { continue };
            found.push(NewFinding {
                kind,
                key,
                remote_id: id.clone(),
                sort,
                fields: Vec::new(),
                modified_at: None,
                modified_by: None,
                found_by,
            });
        }
        self.store.record_findings(Self::NAME, &found, self.clock.now()).await?;
        Ok(found.len() as u64)
    }

    /// The record with a key, without the name of the site.
    async fn key_of(&self, kind: Kind, site_id: i64, rest: &str) -> Result<Option<RecordKey>, ParityError> {
        let key = |moodle_id: Id| RecordKey { kind, site_id, moodle_id };
        let number = |text: &str| text.parse().ok().map(Id);
        if kind != Kind::Grade {
            return Ok(number(rest).map(key));
        }
        let Some((user, item)) = rest.split_once(':').and_then(|(user, item)| Some((number(user)?, number(item)?)))
        else {
            return Ok(None);
        };
        let groups = self.store.grade_groups(&[(site_id, user, item)]).await?;
        let grade = groups.into_values().flatten().find(|grade| !grade.record.deleted);
        Ok(grade.map(|grade| key(grade.record.state.gradeid)))
    }

    /// How a remote record differs that has this record's key; `None` if it may be the record's own, whose id is not known
    /// yet.
    async fn sort_of(
        &self,
        key: Option<RecordKey>,
        id: &str,
    ) -> Result<Option<(FindingSort, Option<RecordKey>)>, ParityError> {
        let Some(key) = key else { return Ok(Some((FindingSort::Surplus, None))) };
        let items = self.store.sync_items_of(Self::NAME, &[key]).await?;
        Ok(match items.first() {
            None => Some((FindingSort::Surplus, None)),
            // Another item may have become its writer meanwhile.
            Some(item) if item.remote_id.as_deref() == Some(id) => None,
            Some(item) if item.remote_id.is_some() => Some((FindingSort::Doubled, Some(key))),
            Some(item) if item.attempts == 0 && item.synced_at.is_some() => Some((FindingSort::Surplus, Some(key))),
            Some(_) => None,
        })
    }
}
