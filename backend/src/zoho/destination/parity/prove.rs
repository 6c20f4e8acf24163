//! The comparison of all records: those of Zoho with a key of ours, and ours that are there, both in the order of Zoho's
//! ids.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use super::{ParityError, Spent, compare::Compared, confirm::in_calls, watch::with_id};
use crate::{
    delivery::Destination,
    model::{FoundBy, ItemState, Kind},
    store::{ItemRow, ProofOfKind, ProofState},
    zoho::{
        client::{FOUND_PER_CALL, ROWS_PER_CALL, Wanted},
        destination::Zoho,
        mapping::ModuleMapping,
    },
};

/// Items of one step: of those, as many as this may be missing in Zoho.
const STEP_ITEMS: u64 = 1_000;

/// A piece of a module.
struct Piece {
    /// What Zoho has in it, by id.
    held: HashMap<String, Map<String, Value>>,
    /// The last id; `None` at the module's end.
    to: Option<String>,
    /// What is written into it from here.
    rows: Vec<ItemRow>,
}

impl Zoho {
    /// Compares the next piece. Returns whether all is compared.
    pub async fn prove_step(&self, state: &mut ProofState) -> Result<bool, ParityError> {
        self.same_organisation().await?;
        let next = self.mapping.modules().find(|(kind, _)| state.of(*kind).is_none_or(|of| !of.done));
        let Some((kind, module)) = next else {
            state.ended_at = Some(self.clock.now().0);
            return Ok(true);
        };
        let mut spent = Spent::default();
        let of = state.kinds.entry(kind.as_str().to_owned()).or_default();
        let outcome = self.prove_piece((kind, module), of, &mut spent).await;
        state.calls += spent.calls;
        state.credits += spent.credits;
        outcome.map(|()| false)
    }

    async fn prove_piece(
        &self,
        (kind, module): (Kind, &ModuleMapping),
        of: &mut ProofOfKind,
        spent: &mut Spent,
    ) -> Result<(), ParityError> {
        let Piece { held, to, rows } = self.piece((kind, module), &of.after, spent).await?;
        let mut counted = ProofOfKind { remote: held.len() as u64, ..ProofOfKind::default() };
        let (mut doubtful, mut equal) = (Vec::new(), Vec::new());
        for (row, compared) in rows.iter().zip(self.compare(kind, &rows, &held).await?) {
            let is_there = row.remote_id.as_ref().is_some_and(|id| held.contains_key(id));
            match compared {
                Compared::Equal => {
                    counted.equal += 1;
                    equal.extend(row.remote_id.clone());
                }
                Compared::Differs(_) => doubtful.push(row.clone()),
                Compared::PassedOver if !is_there && row.state == ItemState::Synced => doubtful.push(row.clone()),
                Compared::Busy | Compared::PassedOver => counted.passed_over += 1,
            }
        }
        self.store.close_findings(Self::NAME, &equal, self.clock.now()).await?;
        let confirmed = self.read_by_id(kind, &doubtful, FoundBy::Proof, spent).await?;
        let known: HashSet<&String> = rows.iter().filter_map(|row| row.remote_id.as_ref()).collect();
        let strangers = held.iter().filter(|(id, _)| !known.contains(id));
        let strangers = self.judge_strangers((kind, module), strangers, FoundBy::Proof).await?.found
            + self.find_namesakes((kind, module), &rows, spent).await?;
        of.equal += counted.equal + confirmed.equal;
        of.differing += confirmed.differing + strangers;
        of.passed_over += counted.passed_over + confirmed.passed_over + confirmed.busy.len() as u64;
        of.remote += counted.remote;
        match to {
            Some(to) => of.after = to,
            None => of.done = true,
        }
        Ok(())
    }

    /// Looks for contacts that nothing here writes, and which have the address of one of these people.
    async fn find_namesakes(
        &self,
        (kind, module): (Kind, &ModuleMapping),
        people: &[ItemRow],
        spent: &mut Spent,
    ) -> Result<u64, ParityError> {
        if kind != Kind::User || module.matches.is_empty() {
            return Ok(0);
        }
        let expected = self.expected_of(kind, people).await?;
        let mut contacts = HashMap::new();
        for field in &module.matches {
            let value = |body: &Map<String, Value>| Some(body.get(&field.value_of)?.as_str()?.to_owned());
            let values: BTreeSet<String> = expected.values().filter_map(value).collect();
            let values: Vec<String> = values.into_iter().collect();
            for values in values.chunks(FOUND_PER_CALL as usize) {
                self.may_spend()?;
                spent.call();
                let columns = [module.key.as_str()];
                let found = self.client.find_equal(&module.module, &field.field, values, &columns).await;
                let found = found.map_err(|error| self.unread(&error))?;
                contacts.extend(found.records.into_iter().filter_map(with_id));
            }
        }
        let ids: Vec<String> = contacts.keys().cloned().collect();
        for row in self.store.items_by_remote(Self::NAME, &ids).await? {
            row.remote_id.and_then(|id| contacts.remove(&id));
        }
        let contacts: Vec<&Map<String, Value>> = contacts.values().collect();
        self.judge_namesakes(module, &contacts, people, FoundBy::Proof).await
    }

    /// Reads the next piece behind an id, on both sides.
    async fn piece(
        &self,
        (kind, module): (Kind, &ModuleMapping),
        after: &str,
        spent: &mut Spent,
    ) -> Result<Piece, ParityError> {
        let (mut held, mut to): (HashMap<String, Map<String, Value>>, _) = (HashMap::new(), None::<String>);
        for columns in in_calls(&module.written_fields(), &["id"]) {
            self.may_spend()?;
            spent.call();
            let page = self.client.walk(&module.module, &columns, Wanted::With(&module.key), after).await;
            let (records, more) = page.map_err(|error| self.unread(&error))?;
            let last = records.last().and_then(|record| record.get("id")?.as_str()).map(str::to_owned);
            let last = last.filter(|_| more || records.len() >= ROWS_PER_CALL);
            for (id, record) in records.into_iter().filter_map(with_id) {
                held.entry(id).or_default().extend(record);
            }
            to = match (to, last) {
                (Some(to), Some(last)) => Some(to.min(last)),
                (to, last) => to.or(last),
            };
        }
        let rows = self.store.items_between((Self::NAME, kind), (after, to.as_deref()), STEP_ITEMS).await?;
        if rows.len() as u64 == STEP_ITEMS {
            to = rows.last().and_then(|row| row.remote_id.clone());
        }
        if let Some(to) = &to {
            held.retain(|id, _| id <= to);
        }
        Ok(Piece { held, to, rows })
    }
}
