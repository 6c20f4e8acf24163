//! Reading by id what seems to differ: this sees every write at once, so what differs then is a finding.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::{ParityError, Spent, compare::Compared};
use crate::{
    clock::Timestamp,
    delivery::Destination,
    limits,
    model::{FindingSort, FoundBy, ItemState, Kind, RecordKey},
    store::{Finding, FindingFilter, ItemRow, NewFinding},
    zoho::{
        client::{COLUMNS, MODIFIED_BY, MODIFIED_TIME, time},
        destination::{Zoho, findings::LEFT},
        mapping::ModuleMapping,
    },
};

/// Ids of one call that reads records; Zoho's limit is on characters.
const IDS_PER_CALL: usize = 50;

/// What reading records by their ids showed.
#[derive(Debug, Default)]
pub(super) struct Confirmed {
    pub(super) equal: u64,
    pub(super) differing: u64,
    pub(super) passed_over: u64,
    /// Records that are just being delivered.
    pub(super) busy: HashSet<RecordKey>,
}

impl Zoho {
    /// Reads the remote records of these items, which are all of one kind, and keeps what differs. What Zoho no longer has
    /// is delivered again: the delivery finds out what became of it.
    pub(super) async fn read_by_id(
        &self,
        kind: Kind,
        rows: &[ItemRow],
        found_by: FoundBy,
        spent: &mut Spent,
    ) -> Result<Confirmed, ParityError> {
        let mut confirmed = Confirmed::default();
        for rows in rows.chunks(IDS_PER_CALL) {
            self.may_spend()?;
            let held = self.held_by_id(kind, rows, spent).await?;
            let compared = self.compare(kind, rows, &held).await?;
            let (mut findings, mut equal, mut again) = (Vec::new(), Vec::new(), Vec::new());
            for (row, compared) in rows.iter().zip(compared) {
                let remote = row.remote_id.as_ref().and_then(|id| held.get(id));
                match (remote, compared) {
                    (_, Compared::Busy) => _ = confirmed.busy.insert(row.key),
                    (None, _) if row.state == ItemState::Synced => again.push(row.key),
                    (None, _) | (_, Compared::PassedOver) => confirmed.passed_over += 1,
                    (Some(remote), Compared::Equal) => {
                        confirmed.equal += 1;
                        equal.extend(row.remote_id.clone());
                        self.note_change(row, remote).await?;
                    }
                    (Some(remote), Compared::Differs(fields)) => {
                        confirmed.differing += 1;
                        let by_others = modified_at(remote).filter(|at| row.remote_modified_at != Some(*at));
                        findings.push(NewFinding {
                            kind,
                            key: Some(row.key),
                            remote_id: row.remote_id.clone().unwrap_or_default(),
                            sort: FindingSort::Changed,
                            fields,
                            modified_at: by_others,
                            modified_by: by_others.and_then(|_| name_of(remote.get(MODIFIED_BY)?)),
                            found_by,
                        });
                    }
                }
            }
            let now = self.clock.now();
            confirmed.differing += again.len() as u64;
            self.store.record_findings(Self::NAME, &findings, now).await?;
            self.store.close_findings(Self::NAME, &equal, now).await?;
            self.store.request_delivery(Self::NAME, &again, now).await?;
        }
        Ok(confirmed)
    }

    async fn note_change(&self, row: &ItemRow, remote: &Map<String, Value>) -> Result<(), ParityError> {
        if let Some(at) = modified_at(remote).filter(|at| row.remote_modified_at != Some(*at)) {
            self.store.note_remote_change(Self::NAME, row, at).await?;
        }
        Ok(())
    }

    /// The remote records of these items with all fields that are written, by id.
    async fn held_by_id(
        &self,
        kind: Kind,
        rows: &[ItemRow],
        spent: &mut Spent,
    ) -> Result<HashMap<String, Map<String, Value>>, ParityError> {
        let Some(module) = self.mapping.module(kind) else { return Ok(HashMap::new()) };
        let ids: Vec<String> = rows.iter().filter_map(|row| row.remote_id.clone()).collect();
        let mut held: HashMap<String, Map<String, Value>> = HashMap::new();
        for fields in in_calls(&module.written_fields(), &[MODIFIED_TIME, MODIFIED_BY]) {
            spent.call();
            let read = self.client.get(&module.module, &ids, &fields).await.map_err(|error| self.unread(&error))?;
            for record in read {
                let Some(id) = record.get("id").and_then(Value::as_str).map(str::to_owned) else { continue };
                held.entry(id).or_default().extend(record);
            }
        }
        Ok(held)
    }

    /// Looks again at what differs, the newest first: people may have put it right in Zoho, or Moodle changed it. Of very
    /// many, the comparison of all records closes the rest.
    pub(super) async fn look_again(&self, spent: &mut Spent) -> Result<(), ParityError> {
        let (mut before, most) = (None, spent.calls + limits::LOOK_AGAIN_CALLS);
        while spent.calls < most {
            let page = limits::PAGE_ROWS_MAX.into();
            let found = self.store.findings(Self::NAME, FindingFilter::default(), before, page).await?;
            let Some(last) = found.last() else { break };
            before = Some(last.id);
            let (strangers, ours): (Vec<Finding>, Vec<Finding>) =
                found.into_iter().partition(|found| matches!(found.sort, FindingSort::Doubled | FindingSort::Surplus));
            self.look_again_at_ours(ours, spent).await?;
            for (kind, module) in self.mapping.modules() {
                let ids = strangers.iter().filter(|found| found.kind == kind).map(|found| found.remote_id.clone());
                self.look_again_at_strangers(module, ids.collect(), spent).await?;
            }
        }
        Ok(())
    }

    async fn look_again_at_ours(&self, found: Vec<Finding>, spent: &mut Spent) -> Result<(), ParityError> {
        let ids: Vec<String> = found.iter().map(|found| found.remote_id.clone()).collect();
        let rows = self.store.items_by_remote(Self::NAME, &ids).await?;
        let known: HashSet<&String> = rows.iter().filter_map(|row| row.remote_id.as_ref()).collect();
        // Nothing here writes them any more. What was left deleted has no writer, and stays a named exception.
        let gone = found.iter().filter(|found| found.sort == FindingSort::Changed && !known.contains(&found.remote_id));
        let gone: Vec<String> = gone.map(|found| found.remote_id.clone()).collect();
        self.store.close_findings(Self::NAME, &gone, self.clock.now()).await?;
        for (kind, rows) in by_kind(rows) {
            self.read_by_id(kind, &rows, FoundBy::Watch, spent).await?;
        }
        self.close_answered(&found).await
    }

    /// Closes what was said about deleted records whose item has an answer since: it has another one, or is gone in Moodle.
    async fn close_answered(&self, found: &[Finding]) -> Result<(), ParityError> {
        let asked = || found.iter().filter(|found| found.sort == FindingSort::Deleted);
        let keys: Vec<RecordKey> = asked().filter_map(|found| found.key).collect();
        let items = self.store.sync_items_of(Self::NAME, &keys).await?;
        let answered = |found: &&Finding| {
            items.iter().any(|item| {
                let is_left = item.code.as_deref() == Some(LEFT);
                Some(item.key) == found.key && item.state == ItemState::Synced && !is_left
            })
        };
        let answered: Vec<String> = asked().filter(answered).map(|found| found.remote_id.clone()).collect();
        self.store.close_findings(Self::NAME, &answered, self.clock.now()).await?;
        Ok(())
    }

    /// Closes what was said about records that are gone, or that an item here writes now.
    async fn look_again_at_strangers(
        &self,
        module: &ModuleMapping,
        ids: Vec<String>,
        spent: &mut Spent,
    ) -> Result<(), ParityError> {
        for ids in ids.chunks(IDS_PER_CALL) {
            self.may_spend()?;
            spent.call();
            let held =
                self.client.get(&module.module, ids, &[&module.key]).await.map_err(|error| self.unread(&error))?;
            let there: HashSet<&str> = held.iter().filter_map(|record| record.get("id")?.as_str()).collect();
            let written: HashSet<String> = self
                .store
                .items_by_remote(Self::NAME, ids)
                .await?
                .into_iter()
                .filter_map(|row| row.remote_id)
                .collect();
            let over = ids.iter().filter(|id| !there.contains(id.as_str()) || written.contains(*id));
            let over: Vec<String> = over.cloned().collect();
            self.store.close_findings(Self::NAME, &over, self.clock.now()).await?;
        }
        Ok(())
    }
}

/// Splits fields into calls, each with these as well.
pub(super) fn in_calls<'a>(fields: &[&'a str], with: &[&'a str]) -> Vec<Vec<&'a str>> {
    fields.chunks(COLUMNS - with.len()).map(|fields| [fields, with].concat()).collect()
}

pub(super) fn by_kind(rows: Vec<ItemRow>) -> BTreeMap<Kind, Vec<ItemRow>> {
    let mut kinds: BTreeMap<Kind, Vec<ItemRow>> = BTreeMap::new();
    for row in rows {
        kinds.entry(row.key.kind).or_default().push(row);
    }
    kinds
}

/// When a remote record was changed last.
pub(super) fn modified_at(remote: &Map<String, Value>) -> Option<Timestamp> {
    remote.get(MODIFIED_TIME).and_then(time)
}

/// The name of a user.
fn name_of(user: &Value) -> Option<String> {
    user.get("name")?.as_str().map(str::to_owned)
}
