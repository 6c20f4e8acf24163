//! What the plugin asks in a comparison, and what it is answered.

use poem_openapi::{Object, types::Example};

use crate::model::{Digest, Kind};

/// A range of ids, with what Moodle's plugin knows the backend to hold in it.
#[derive(Object)]
pub(super) struct ParityRange {
    /// The first id.
    pub(super) from: u64,
    /// The last id.
    pub(super) to: u64,
    /// The number of living records.
    pub(super) records: u64,
    /// 32 hexadecimal digits: the first half of the SHA-256 over these records in the order of their ids, of each 8
    /// bytes of the id (the highest first) and the 16 bytes of its digest. A record's digest is the first half of the
    /// SHA-256 of the `data` that was sent last, byte for byte.
    pub(super) digest: String,
    /// Ids to leave out, of which the plugin does not know what the backend holds; at most 1,000.
    pub(super) except: Vec<u64>,
}

/// A question about ranges of ids.
#[derive(Object)]
#[oai(example)]
pub(super) struct ParityQuestion {
    /// The kind of the records.
    pub(super) kind: Kind,
    /// At most 100 ranges.
    pub(super) ranges: Vec<ParityRange>,
}

/// What the backend holds in a range.
#[derive(Object)]
pub(super) struct RangeAnswer {
    /// Whether number and digest are the same.
    pub(super) equal: bool,
    /// The number of living records; null if the range has too many to read them at once.
    #[oai(nullable)]
    pub(super) records: Option<u64>,
}

/// The answer about ranges of ids.
#[derive(Object)]
#[oai(example)]
pub(super) struct ParityAnswer {
    /// One answer per range, in the order of the question. May be fewer: one question reads 50,000 rows. Ask again for
    /// the rest.
    pub(super) ranges: Vec<RangeAnswer>,
}

/// A record, with the digest of what Moodle's plugin knows the backend to hold.
#[derive(Object)]
pub(super) struct NamedRecord {
    /// Its id in Moodle.
    pub(super) id: u64,
    /// The digest, see `ParityRange`.
    pub(super) digest: String,
    /// The person whom it is about.
    #[oai(nullable)]
    pub(super) userid: Option<u64>,
}

/// A question about each record in a range of ids.
#[derive(Object)]
#[oai(example)]
pub(super) struct RecordsQuestion {
    /// The kind of the records.
    pub(super) kind: Kind,
    /// The first id.
    pub(super) from: u64,
    /// The last id.
    pub(super) to: u64,
    /// The living records; at most 1,000.
    pub(super) records: Vec<NamedRecord>,
    /// Ids to leave out, as in `ParityRange`.
    pub(super) except: Vec<u64>,
}

/// A record that only the backend holds, with the ids that its deletion needs.
#[derive(Object)]
pub(super) struct SurplusRecord {
    /// Its id in Moodle.
    pub(super) id: i64,
    /// Its user.
    #[oai(nullable)]
    pub(super) userid: Option<i64>,
    /// Its course.
    #[oai(nullable)]
    pub(super) courseid: Option<i64>,
    /// Its grade item.
    #[oai(nullable)]
    pub(super) itemid: Option<i64>,
}

/// In what the records of a range differ.
#[derive(Object)]
#[oai(example)]
pub(super) struct RecordsAnswer {
    /// The last id that was looked at. Ask again for those behind it.
    pub(super) to: i64,
    /// Held in another state.
    pub(super) differing: Vec<i64>,
    /// Not held, or held as deleted.
    pub(super) missing: Vec<i64>,
    /// Held, and not named.
    pub(super) surplus: Vec<SurplusRecord>,
    /// Held in a state whose digest is unknown: stored by an older version of the backend, or from the original plugin.
    pub(super) unknown: Vec<i64>,
    /// Not held because the person is erased.
    pub(super) erased: Vec<i64>,
}

/// The result of a comparison of one kind.
#[derive(Object)]
#[oai(example)]
pub(super) struct ParityResult {
    /// The kind of the records.
    pub(super) kind: Kind,
    /// Living records that were compared, as the plugin counted them.
    pub(super) moodle_records: u64,
    /// The same, as the answers counted them.
    pub(super) backend_records: u64,
    /// The digest over all of them, as the plugin's status page shows it: of each range, the first half of the SHA-256
    /// over the 16 bytes of the digest of those before (at first zeros) and the 16 of its own.
    pub(super) digest: String,
    /// Records that differed and were sent again.
    pub(super) repaired: u64,
    /// Records that differ even so.
    pub(super) differing: u64,
    /// Records that could not be compared: refused, erased, or not confirmed yet.
    pub(super) unprovable: u64,
}

/// Whether a result was kept.
#[derive(Object)]
#[oai(example)]
pub(super) struct ResultKept {
    /// Whether both sides hold the same.
    pub(super) equal: bool,
}

impl Example for ParityQuestion {
    fn example() -> Self {
        let digest = Digest::of("").to_string();
        Self {
            kind: Kind::User,
            ranges: vec![ParityRange { from: 1, to: 1_500, records: 998, digest, except: vec![17] }],
        }
    }
}

impl Example for ParityAnswer {
    fn example() -> Self {
        Self { ranges: vec![RangeAnswer { equal: false, records: Some(997) }] }
    }
}

impl Example for RecordsQuestion {
    fn example() -> Self {
        let records = vec![NamedRecord { id: 3, digest: Digest::of("").to_string(), userid: Some(3) }];
        Self { kind: Kind::User, from: 1, to: 1_500, records, except: vec![17] }
    }
}

impl Example for RecordsAnswer {
    fn example() -> Self {
        let surplus = vec![SurplusRecord { id: 4, userid: None, courseid: None, itemid: None }];
        Self { to: 1_500, differing: vec![], missing: vec![3], surplus, unknown: vec![], erased: vec![] }
    }
}

impl Example for ParityResult {
    fn example() -> Self {
        let digest = Digest::of("").to_string();
        let (moodle_records, backend_records) = (998, 998);
        Self { kind: Kind::User, moodle_records, backend_records, digest, repaired: 3, differing: 0, unprovable: 1 }
    }
}

impl Example for ResultKept {
    fn example() -> Self {
        Self { equal: true }
    }
}
