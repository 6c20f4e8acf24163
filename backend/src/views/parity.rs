//! Whether Moodle and the backend hold the same, as of the last comparison.

use poem_openapi::{Object, types::Example};

use crate::{
    clock::Timestamp,
    model::{Digest, Kind},
    store::{Comparison, Store, StoreError},
};

/// The last comparison of one kind of a site's records.
#[derive(Clone, Debug, Object)]
#[oai(rename = "Parity", example)]
pub(crate) struct ParityView {
    /// The name of the site.
    pub(crate) site: String,
    /// The kind of the records.
    pub(crate) kind: Kind,
    /// Whether both sides hold the same.
    pub(crate) equal: bool,
    /// The result in one sentence.
    pub(crate) sentence: String,
    /// When it ended, by this server's clock (RFC 3339).
    pub(crate) compared_at: String,
    /// Living records that Moodle sent and that could be compared.
    pub(crate) moodle_records: i64,
    /// The same, as the backend counted them.
    pub(crate) backend_records: i64,
    /// The digest over all of them, as the plugin's status page shows it.
    pub(crate) digest: String,
    /// Records that differed and were sent again.
    pub(crate) repaired: i64,
    /// Records that differ even so.
    pub(crate) differing: i64,
    /// Records that could not be compared: refused, erased, or not confirmed yet.
    pub(crate) unprovable: i64,
}

impl Example for ParityView {
    fn example() -> Self {
        let comparison = Comparison {
            site_id: 1,
            kind: Kind::User,
            compared_at: Timestamp(1_795_333_607_000),
            moodle_records: 998,
            backend_records: 998,
            digest: Digest::of(""),
            repaired: 3,
            differing: 0,
            unprovable: 1,
        };
        Self::of(comparison, "college".to_owned())
    }
}

impl ParityView {
    /// The last comparison of each kind of each site.
    pub(crate) async fn read(store: &Store) -> Result<Vec<Self>, StoreError> {
        let names = store.site_names().await?;
        let view = |comparison: Comparison| {
            let site = names.get(&comparison.site_id).cloned().unwrap_or_default();
            Self::of(comparison, site)
        };
        Ok(store.comparisons().await?.into_iter().map(view).collect())
    }

    fn of(comparison: Comparison, site: String) -> Self {
        let (equal, sentence) = (comparison.is_equal(), sentence(&comparison));
        let Comparison { kind, moodle_records, backend_records, repaired, differing, unprovable, .. } = comparison;
        let (compared_at, digest) = (comparison.compared_at.to_rfc3339(), comparison.digest.to_string());
        Self {
            site,
            kind,
            equal,
            sentence,
            compared_at,
            moodle_records,
            backend_records,
            digest,
            repaired,
            differing,
            unprovable,
        }
    }
}

fn sentence(comparison: &Comparison) -> String {
    let Comparison { kind, moodle_records, backend_records, repaired, differing, unprovable, .. } = comparison;
    let time = comparison.compared_at.to_rfc3339();
    let mut sentence = if comparison.is_equal() {
        format!("The backend holds what Moodle holds, as of {time}")
    } else {
        format!(
            "The backend does not hold what Moodle holds, as of {time}: {differing} differ, and of {moodle_records} \
             {kind} records it has {backend_records}"
        )
    };
    if *repaired > 0 {
        sentence += &format!("; {repaired} differed and were repaired");
    }
    if *unprovable > 0 {
        sentence += &format!("; {unprovable} could not be compared");
    }
    sentence + "."
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::Example as _;

    use super::{Comparison, Digest, Kind, ParityView, Timestamp};

    #[test]
    fn one_sentence_says_it() {
        let equal = ParityView::example();
        assert!(equal.equal);
        let expected = "The backend holds what Moodle holds, as of 2026-11-22T07:46:47.000Z; 3 differed and were repaired; \
                        1 could not be compared.";
        assert_eq!(equal.sentence, expected);
        let comparison = Comparison {
            site_id: 1,
            kind: Kind::Grade,
            compared_at: Timestamp(1_795_333_607_000),
            moodle_records: 10,
            backend_records: 9,
            digest: Digest::UNKNOWN,
            repaired: 0,
            differing: 1,
            unprovable: 0,
        };
        let differs = ParityView::of(comparison, "college".to_owned());
        assert!(!differs.equal);
        let expected = "The backend does not hold what Moodle holds, as of 2026-11-22T07:46:47.000Z: 1 differ, and of 10 \
                        grade records it has 9.";
        assert_eq!(differs.sentence, expected);
    }
}
