//! A batch in parts, each a transaction, whose records fit into memory: a few bytes of events may concern hundreds of
//! megabytes of records.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    Arrival,
    touched::{Touched, items_of, keys_of},
};
use crate::{
    model::Kind,
    store::{RecordTable, Store, StoreError, completion, course, enrolment, grade, user},
};

/// Bytes of the texts of one part: of its events, and of the records that they concern; at least those of one event. A
/// batch of a thousand usual events has a tenth of it. All this is in memory several times: as rows, as records before
/// and after the events, and as parameters of statements.
const PART_BYTES: u64 = 8 * 1024 * 1024;

/// So few events and their records always fit, because none has more bytes than a body.
const ALWAYS_FIT: usize = 3;

/// The number of events in each part of a batch.
pub(super) async fn part_sizes(store: &Store, arrivals: &[&Arrival]) -> Result<Vec<usize>, StoreError> {
    if arrivals.len() <= ALWAYS_FIT {
        return Ok(vec![arrivals.len()]);
    }
    let touched = arrivals.iter().flat_map(|arrival| Touched::by(arrival)).collect();
    let bytes = bytes(store, &touched).await?;
    let bytes = |touched: &Touched| bytes.get(touched).copied().unwrap_or_default();
    Ok(split(arrivals.iter().map(|arrival| (arrival.event.data.len() as u64, Touched::by(arrival))), bytes))
}

async fn bytes(store: &Store, touched: &BTreeSet<Touched>) -> Result<HashMap<Touched, u64>, StoreError> {
    let mut bytes = HashMap::new();
    of_kind::<user::Entity>(store, touched, Kind::User, &mut bytes).await?;
    of_kind::<course::Entity>(store, touched, Kind::Course, &mut bytes).await?;
    of_kind::<enrolment::Entity>(store, touched, Kind::Enrolment, &mut bytes).await?;
    of_kind::<grade::Entity>(store, touched, Kind::Grade, &mut bytes).await?;
    of_kind::<completion::Entity>(store, touched, Kind::Completion, &mut bytes).await?;
    let items = store.item_bytes(&items_of(touched)).await?;
    bytes.extend(items.into_iter().map(|(key, bytes)| (Touched::Item(key), bytes)));
    Ok(bytes)
}

async fn of_kind<T: RecordTable>(
    store: &Store,
    touched: &BTreeSet<Touched>,
    kind: Kind,
    bytes: &mut HashMap<Touched, u64>,
) -> Result<(), StoreError> {
    let found = store.record_bytes::<T>(&keys_of(touched, kind)).await?;
    bytes.extend(found.into_iter().map(|(key, bytes)| (Touched::Record(kind, key), bytes)));
    Ok(())
}

/// Splits events, given by the bytes of their data and by what they touch, whose bytes count once in each part.
fn split<I: Iterator<Item = Touched>>(
    events: impl Iterator<Item = (u64, I)>,
    bytes: impl Fn(&Touched) -> u64,
) -> Vec<usize> {
    let (mut sizes, mut size, mut sum, mut there) = (Vec::new(), 0, 0, HashSet::new());
    for (data, touched) in events {
        let touched: Vec<Touched> = touched.collect();
        let more = data + touched.iter().filter(|touched| !there.contains(*touched)).map(&bytes).sum::<u64>();
        if size > 0 && sum + more > PART_BYTES {
            sizes.push(size);
            there.clear();
            (size, sum) = (0, data + touched.iter().map(&bytes).sum::<u64>());
        } else {
            sum += more;
        }
        there.extend(touched);
        size += 1;
    }
    sizes.push(size);
    sizes
}

#[cfg(test)]
mod tests {
    use super::{PART_BYTES, Touched, split};
    use crate::model::{Id, Kind};

    fn grade(id: i64) -> Touched {
        Touched::Record(Kind::Grade, (1, Id(id)))
    }

    #[test]
    fn a_part_ends_at_its_bytes_and_has_one_event_at_least() {
        let half = PART_BYTES / 2;
        let parts = |events: &[(u64, &[i64])], of_record: u64| {
            let events = events.iter().map(|(data, ids)| (*data, ids.iter().copied().map(grade)));
            split(events, |_| of_record)
        };
        assert_eq!(parts(&[(half, &[]), (half, &[]), (1, &[])], 0), [2, 1], "the events' own");
        assert_eq!(parts(&[(0, &[1]), (0, &[2]), (0, &[3])], half), [2, 1], "those of records");
        assert_eq!(parts(&[(0, &[1]), (0, &[1]), (0, &[2]), (0, &[1])], half), [4], "each once");
        assert_eq!(parts(&[(0, &[1]), (0, &[2]), (0, &[1])], PART_BYTES), [1, 1, 1], "again in each part");
        assert_eq!(parts(&[(0, &[1]), (0, &[2])], PART_BYTES + 1), [1, 1], "one is always taken");
    }
}
