//! One transaction of the writer: what it does with the events of a batch, in order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::future::try_join;
use uuid::Uuid;

use super::{
    Arrival, Written,
    work::{Effect, WorkUnit},
};
use crate::{
    clock::Timestamp,
    model::{Kind, Outcome},
    store::{Key, NO_DATA, NewChange, NewDigest, NewEvent, Store, StoreError},
};

/// Stores `arrivals` in order and commits. When it fails, nothing is stored, unless the commit itself failed.
///
/// Leaves out arrivals whose token has been revoked meanwhile: their places hold `None`. Also returns whether grades
/// are left for [`Store::touch_next_grades`].
pub(super) async fn store_arrivals(
    store: &Store,
    arrivals: &[&Arrival],
    tokens: &[i64],
    repeat_ms: i64,
) -> Result<(Vec<Option<Written>>, bool), StoreError> {
    let (transaction, first_id) = store.begin_write(arrivals.len()).await?;
    let distinct: Vec<i64> = tokens.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let valid = transaction.valid_tokens(&distinct).await?;
    let mut known = transaction.known_events(&idempotency_keys(arrivals)).await?;
    let erased = transaction.erased_people(&people(arrivals)).await?;
    let mut records = WorkUnit::load(&transaction, arrivals).await?;
    let (mut changes, mut digests, mut mentioned) = (HashMap::new(), HashMap::new(), BTreeSet::new());
    let mut rows = Vec::with_capacity(arrivals.len());
    let mut written = Vec::with_capacity(arrivals.len());
    for ((arrival, token), id) in arrivals.iter().zip(tokens).zip(first_id..) {
        if !valid.contains(token) {
            written.push(None);
            continue;
        }
        let Arrival { site, event, received_at } = arrival;
        if let Some(idempotency_key) = event.idempotency_key {
            if let Some(&event_id) = known.get(&(site.id, idempotency_key)) {
                written.push(Some(Written { event_id, outcome: Outcome::Duplicate }));
                continue;
            }
            known.insert((site.id, idempotency_key), id);
        }
        let (moodle_id, userid) = event.change.subject();
        // For an erased person, store only that an event arrived, without its data.
        let is_erased = userid.is_some_and(|userid| erased.contains(&(site.id, userid)));
        let Effect { outcome, deleted, holds_state } = if is_erased {
            Effect { outcome: Outcome::Superseded, deleted: true, holds_state: false }
        } else {
            records.apply(site.id, event, *received_at)
        };
        let key = (site.id, event.event_type.kind(), moodle_id);
        // What is unchanged and has no digest is still what the known one says.
        if holds_state && (event.digest.is_some() || outcome == Outcome::Applied) {
            digests.insert(key, NewDigest { event_id: id, digest: event.digest });
        }
        if outcome == Outcome::Applied {
            let change = NewChange { position: id, deleted, changed_at: *received_at };
            changes.insert(key, change);
            mentioned.extend(records.mention(site.id, event, *received_at));
        }
        rows.push(NewEvent {
            id,
            site_id: site.id,
            idempotency_key: event.idempotency_key,
            event_type: event.event_type,
            moodle_id,
            userid,
            version: event.version,
            received_at: *received_at,
            outcome,
            data: if is_erased { NO_DATA } else { &event.data },
        });
        written.push(Some(Written { event_id: id, outcome }));
    }
    let changed_items: Vec<Key> = records.items.changed.iter().copied().collect();
    let new_grades = records.grades.new_references(|grade| (grade.userid, grade.itemid));
    let now = arrivals.last().map_or(Timestamp(0), |last| last.received_at);
    let moved = records.keep_former(&transaction, now, &mut changes).await?;
    try_join(transaction.insert_events(rows), records.save(&transaction)).await?;
    let mut grades_left = false;
    if let Some(last) = arrivals.last() {
        grades_left = transaction.touch_grades_of(&changed_items, last.received_at, &mut changes).await?;
        transaction.add_changes(&mentioned, Kind::Course, last.received_at, &mut changes).await?;
    }
    transaction.mark_pending(&changes, &new_grades, &moved, repeat_ms).await?;
    transaction.save_changes(changes, digests).await?;
    transaction.commit().await?;
    Ok((written, grades_left))
}

/// The people that the events are about.
fn people(arrivals: &[&Arrival]) -> Vec<Key> {
    let people = arrivals.iter().filter_map(|arrival| Some((arrival.site.id, arrival.event.change.subject().1?)));
    people.collect::<BTreeSet<_>>().into_iter().collect()
}

fn idempotency_keys(arrivals: &[&Arrival]) -> BTreeMap<i64, Vec<Uuid>> {
    let mut idempotency_keys: BTreeMap<i64, Vec<Uuid>> = BTreeMap::new();
    for arrival in arrivals {
        if let Some(idempotency_key) = arrival.event.idempotency_key {
            idempotency_keys.entry(arrival.site.id).or_default().push(idempotency_key);
        }
    }
    idempotency_keys
}
