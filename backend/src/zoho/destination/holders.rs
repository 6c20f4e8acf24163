//! Who else has a person's address, among all users that we know.

use std::collections::HashMap;

use super::{
    Zoho,
    find::{distinct, grouped},
    job::{DeliveryContext, Job},
};
use crate::{
    delivery::Destination,
    model::{ItemState, Kind, RecordKey},
    store::{ItemRow, StoreError},
};

/// Who else has a person's address.
pub(super) enum Holder {
    /// Nobody who is in Zoho.
    Nobody,
    /// Another user, who is in Zoho.
    Other(RecordKey),
    /// Another user, who is being delivered right now.
    InFlight,
}

/// Deleted users, by the ids of their contacts in Zoho. Whoever has the same address is the same person with a new
/// account, and takes the contact over.
pub(super) type Gone = HashMap<String, RecordKey>;

impl Zoho {
    /// Who else has these people's addresses, among all users that we know; and those of them who are deleted.
    pub(super) async fn holders(
        &self,
        context: &DeliveryContext<'_>,
        jobs: &[Job],
    ) -> Result<(HashMap<RecordKey, Holder>, Gone), StoreError> {
        let email_of = |key: RecordKey| context.batch.user(key).and_then(|user| user.email.clone());
        let addresses: Vec<(RecordKey, String)> =
            jobs.iter().filter_map(|job| Some((job.item.key, email_of(job.item.key)?))).collect();
        // Moodle normally stores addresses in lower case.
        let spellings = addresses.iter().flat_map(|(_, email)| [email.clone(), email.to_lowercase()]);
        let users = self.store.users_by_email(&distinct(spellings)).await?;
        let users = users.into_iter().filter_map(|user| {
            let key = RecordKey { kind: Kind::User, site_id: user.site_id, moodle_id: user.record.state.userid };
            Some((user.record.state.email?.to_lowercase(), (key, user.record.deleted)))
        });
        let users = grouped(users);
        let several = users.values().filter(|users| users.len() > 1).flatten();
        let rows = self.store.sync_items_of(Self::NAME, &several.map(|(key, _)| *key).collect::<Vec<_>>()).await?;
        let rows: HashMap<RecordKey, ItemRow> = rows.into_iter().map(|row| (row.key, row)).collect();
        let contact_of = |key| jobs.iter().find(|job| job.item.key == key).and_then(|job| job.item.remote_id.as_ref());
        let mut gone = Gone::new();
        let mut holder = |(key, email): (RecordKey, String)| {
            let others = users.get(&email.to_lowercase()).into_iter().flatten().filter(|(other, _)| *other != key);
            let mut holder = Holder::Nobody;
            for (row, deleted) in others.filter_map(|(other, deleted)| Some((rows.get(other)?, *deleted))) {
                match &row.remote_id {
                    // What becomes of its contact is not known before it is settled.
                    _ if deleted && is_unsettled(row) => holder = Holder::InFlight,
                    Some(id) if deleted && !row.linked => _ = gone.insert(id.clone(), row.key),
                    _ if deleted => {}
                    // It stands for this one's own contact, which is gone.
                    Some(id) if row.linked && contact_of(key) == Some(id) => {}
                    Some(_) => return (key, Holder::Other(row.key)),
                    None => {
                        // Of several in one delivery, the first one goes ahead.
                        let goes_first = !jobs.iter().any(|job| job.item.key == row.key) || row.key < key;
                        if row.state == ItemState::InFlight && goes_first {
                            holder = Holder::InFlight;
                        }
                    }
                }
            }
            (key, holder)
        };
        let holders = addresses.into_iter().map(&mut holder).collect();
        Ok((holders, gone))
    }
}

/// Whether it is being delivered, an attempt of unknown outcome may have created a contact, or its contact still has the
/// key of the id that it gave away.
fn is_unsettled(row: &ItemRow) -> bool {
    let may_be_there = row.remote_id.is_none() && row.attempts > 0;
    let pending = row.state == ItemState::Pending && (may_be_there || row.key.moodle_id.is_former());
    row.state == ItemState::InFlight || pending
}
