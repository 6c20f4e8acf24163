//! Comparing what Moodle sent with what is held, range by range and record by record.

use std::collections::{BTreeMap, BTreeSet};

use super::{Digest, Id};

/// A record as a comparison sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldRecord {
    /// Its id in Moodle.
    pub id: Id,
    /// Whether it is deleted in Moodle.
    pub deleted: bool,
    /// The digest of its state; none if it is unknown.
    pub digest: Option<Digest>,
}

/// The number and the digest of living records, given in the order of their ids, without those in `except`.
pub fn sum_of(held: &[HeldRecord], except: &BTreeSet<Id>) -> (u64, Digest) {
    let living = held.iter().filter(|record| !record.deleted && !except.contains(&record.id));
    let mut count = 0;
    let digest = Digest::of_records(living.map(|record| {
        count += 1;
        (record.id, record.digest.unwrap_or(Digest::UNKNOWN))
    }));
    (count, digest)
}

/// In what records differ: their ids, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Held in another state.
    pub differing: Vec<Id>,
    /// Not held, or held as deleted.
    pub missing: Vec<Id>,
    /// Held, and not named by Moodle.
    pub surplus: Vec<Id>,
    /// Held in a state whose digest is unknown.
    pub unknown: Vec<Id>,
}

impl Differences {
    /// Compares the records that Moodle names with those that are held, without those in `except`.
    pub fn between(named: &BTreeMap<Id, Digest>, held: &[HeldRecord], except: &BTreeSet<Id>) -> Self {
        let living = held.iter().filter(|record| !record.deleted && !except.contains(&record.id));
        let living: BTreeMap<Id, Option<Digest>> = living.map(|record| (record.id, record.digest)).collect();
        let mut found = Self::default();
        for (id, digest) in named {
            match living.get(id) {
                None => found.missing.push(*id),
                Some(None) => found.unknown.push(*id),
                Some(Some(held)) if held != digest => found.differing.push(*id),
                Some(Some(_)) => {}
            }
        }
        found.surplus = living.keys().filter(|id| !named.contains_key(id)).copied().collect();
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::{Differences, HeldRecord, sum_of};
    use crate::model::{Digest, Id};

    /// What happens to a record on one side only.
    fn held(id: i64, sent: u8, fate: u8) -> Option<HeldRecord> {
        let digest = Some(Digest::of(&sent.to_string()));
        let (deleted, digest) = match fate {
            0 => return None,
            1 => (true, digest),
            2 => (false, None),
            3 => (false, Some(Digest::of("other"))),
            _ => (false, digest),
        };
        Some(HeldRecord { id: Id(id), deleted, digest })
    }

    proptest! {
        /// Ranges find a difference exactly where a plain comparison of all records does, however they are divided.
        #[test]
        fn ranges_find_what_a_plain_comparison_finds(
            records in proptest::collection::btree_map(1_i64..200, (any::<bool>(), 0_u8..5, 0_u8..12), 0..80),
            size in 1_usize..20,
            left_out in proptest::collection::btree_set(1_i64..200, 0..10),
        ) {
            let except: BTreeSet<Id> = left_out.into_iter().map(Id).collect();
            let named = records.iter().filter(|(id, (sent, ..))| *sent && !except.contains(&Id(**id)));
            let named: BTreeMap<Id, Digest> =
                named.map(|(id, (_, value, _))| (Id(*id), Digest::of(&value.to_string()))).collect();
            let all: Vec<HeldRecord> =
                records.iter().filter_map(|(id, (_, value, fate))| held(*id, *value, *fate)).collect();
            let plain = Differences::between(&named, &all, &except);
            let ids: Vec<Id> = named.keys().copied().collect();
            let mut found = Differences::default();
            let mut from = Id(1);
            let slices: Vec<&[Id]> = if ids.is_empty() { vec![&[]] } else { ids.chunks(size).collect() };
            for (index, slice) in slices.iter().enumerate() {
                let is_last = index + 1 == slices.len();
                let to = slice.last().filter(|_| !is_last).copied().unwrap_or(Id(i64::MAX));
                let of_moodle: BTreeMap<Id, Digest> = named.range(from..=to).map(|(id, digest)| (*id, *digest)).collect();
                let of_backend: Vec<HeldRecord> =
                    all.iter().filter(|record| (from..=to).contains(&record.id)).copied().collect();
                let told = (of_moodle.len() as u64, Digest::of_records(of_moodle.iter().map(|(id, d)| (*id, *d))));
                let here = Differences::between(&of_moodle, &of_backend, &except);
                prop_assert_eq!(sum_of(&of_backend, &except) == told, here == Differences::default());
                found.differing.extend(here.differing);
                found.missing.extend(here.missing);
                found.surplus.extend(here.surplus);
                found.unknown.extend(here.unknown);
                from = Id(to.0.saturating_add(1));
            }
            prop_assert_eq!(found, plain);
        }
    }
}
