//! The cheap look: what was changed and deleted in Zoho since the last one.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{
    ParityError, Spent,
    confirm::{by_kind, modified_at},
};
use crate::{
    clock::Timestamp,
    delivery::Destination,
    limits,
    model::{FoundBy, ItemState, Kind},
    store::{ItemRow, WatchState},
    zoho::{
        client::{MODIFIED_TIME, Wanted},
        destination::Zoho,
        mapping::ModuleMapping,
    },
};

impl Zoho {
    /// Looks at what was changed and deleted since the last look. An error leaves the rest to the next one.
    pub async fn watch(&self, state: &mut WatchState) -> Result<(), ParityError> {
        let (mut spent, mut read) = (Spent::default(), 0);
        let outcome = self.watch_all(state, &mut spent, &mut read).await;
        (state.credits, state.read) = (spent.credits, read);
        outcome
    }

    async fn watch_all(&self, state: &mut WatchState, spent: &mut Spent, read: &mut u64) -> Result<(), ParityError> {
        self.same_organisation().await?;
        // What refers to others is looked at after these.
        for (kind, module) in self.mapping.modules() {
            let began = self.clock.now();
            // What was changed before the first look is for a comparison of all records.
            let seen = Timestamp(*state.seen.get(&module.module).unwrap_or(&began.0));
            let since = seen.before(limits::REMOTE_LAG);
            self.look_at_deleted(module, since, spent).await?;
            let busy = self.look_at_changed((kind, module), since, spent, read).await?;
            let seen = busy.map_or(began, |busy| busy.min(began));
            state.seen.insert(module.module.clone(), seen.0);
        }
        self.look_again(spent).await
    }

    /// Delivers again what was deleted, and which an item here still writes: the delivery finds out what became of it.
    async fn look_at_deleted(
        &self,
        module: &ModuleMapping,
        since: Timestamp,
        spent: &mut Spent,
    ) -> Result<(), ParityError> {
        for page in 1.. {
            self.may_spend()?;
            spent.call();
            let (deleted, more) =
                self.client.deleted(&module.module, since, page).await.map_err(|error| self.unread(&error))?;
            let by_id: HashMap<&String, _> = deleted.iter().map(|deleted| (&deleted.id, deleted)).collect();
            let ids: Vec<String> = deleted.iter().map(|deleted| deleted.id.clone()).collect();
            let (now, mut again) = (self.clock.now(), Vec::new());
            for row in self.store.items_by_remote(Self::NAME, &ids).await? {
                let Some(deleted) = row.remote_id.as_ref().and_then(|id| by_id.get(id)) else { continue };
                if row.state != ItemState::Synced {
                    continue;
                }
                let who = (deleted.at, deleted.by.as_deref());
                self.store.note_deletion(Self::NAME, (row.key, &deleted.id), who, now).await?;
                again.push(row.key);
            }
            self.store.request_delivery(Self::NAME, &again, now).await?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Compares what others changed. Returns since when the first of those that are just being delivered was changed: these
    /// are looked at again.
    async fn look_at_changed(
        &self,
        (kind, module): (Kind, &ModuleMapping),
        since: Timestamp,
        spent: &mut Spent,
        read: &mut u64,
    ) -> Result<Option<Timestamp>, ParityError> {
        let mut columns = vec!["id", module.key.as_str(), MODIFIED_TIME];
        columns.extend(module.matches.iter().map(|field| field.field.as_str()));
        let (mut after, mut earliest) = (String::new(), None::<Timestamp>);
        loop {
            self.may_spend()?;
            spent.call();
            let page = self.client.walk(&module.module, &columns, Wanted::ChangedSince(since), &after).await;
            let (changed, more) = page.map_err(|error| self.unread(&error))?;
            let by_id: HashMap<String, Map<String, Value>> = changed.into_iter().filter_map(with_id).collect();
            let ids: Vec<String> = by_id.keys().cloned().collect();
            let rows = self.store.items_by_remote(Self::NAME, &ids).await?;
            let known: HashSet<String> = rows.iter().filter_map(|row| row.remote_id.clone()).collect();
            let time_of = |row: &ItemRow| row.remote_id.as_ref().and_then(|id| modified_at(by_id.get(id)?));
            let by_others = rows.into_iter().filter(|row| is_by_others(row, time_of(row))).collect();
            for (kind, rows) in by_kind(by_others) {
                *read += rows.len() as u64;
                let busy = self.read_by_id(kind, &rows, FoundBy::Watch, spent).await?.busy;
                let waiting = rows.iter().filter(|row| busy.contains(&row.key)).filter_map(time_of);
                earliest = waiting.chain(earliest).min();
            }
            let strangers = || by_id.iter().filter(|(id, _)| !known.contains(*id));
            let busy = self.judge_strangers((kind, module), strangers(), FoundBy::Watch).await?.busy;
            earliest = busy.into_iter().chain(earliest).min();
            let contacts: Vec<&Map<String, Value>> = strangers().map(|(_, record)| record).collect();
            self.look_for_namesakes(module, &contacts).await?;
            match ids.into_iter().max() {
                Some(last) if more => after = last,
                _ => return Ok(earliest),
            }
        }
    }
}

impl Zoho {
    /// Looks whether contacts that no item writes have the address of a person here.
    async fn look_for_namesakes(
        &self,
        module: &ModuleMapping,
        contacts: &[&Map<String, Value>],
    ) -> Result<(), ParityError> {
        let values = |contact: &&Map<String, Value>| -> Vec<String> {
            let values = module.matches.iter().filter_map(|field| contact.get(&field.field)?.as_str());
            values.flat_map(|value| [value.to_owned(), value.to_lowercase()]).collect()
        };
        let mut values: Vec<String> = contacts.iter().flat_map(values).collect();
        values.sort_unstable();
        values.dedup();
        let people = self.store.items_by_address(Self::NAME, &values).await?;
        self.judge_namesakes(module, contacts, &people, FoundBy::Watch).await?;
        Ok(())
    }
}

/// Whether others changed a record since our last write.
fn is_by_others(row: &ItemRow, modified_at: Option<Timestamp>) -> bool {
    match (row.remote_modified_at, modified_at) {
        (Some(ours), Some(modified)) => modified > ours,
        _ => true,
    }
}

/// A record with its id.
pub(super) fn with_id(record: Map<String, Value>) -> Option<(String, Map<String, Value>)> {
    Some((record.get("id")?.as_str()?.to_owned(), record))
}
