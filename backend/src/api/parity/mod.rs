//! Proof that Moodle and the backend hold the same: Moodle's plugin asks, range by range.

mod fields;
mod schema;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use poem::web::Data;
use poem_openapi::OpenApi;

use self::{
    fields::{Named, Number, RANGES, RECORDS, Range, UpTo, ids_of},
    schema::{
        ParityAnswer, ParityQuestion, ParityResult, RangeAnswer, RecordsAnswer, RecordsQuestion, ResultKept,
        SurplusRecord,
    },
};
use super::{
    Context, Tag,
    answer::Answer,
    auth::{ApiToken, SiteToken},
    body::{JsonText, read_fields},
    failure::{Failure, ReadList, SendEvent},
    problem::Problem,
};
use crate::{
    delivery::Destination as _,
    model::{Differences, Digest, Id, Kind, sum_of},
    store::{Comparison, Store},
    views::AgreementView,
    zoho::destination::Zoho,
};

/// Rows that one question reads: a tenth of a second.
const ROWS: usize = 50_000;

/// What Moodle's plugin asks and reports.
pub(super) struct Operations;

/// What people read.
pub(super) struct Readings;

async fn compare_ranges(
    store: &Store,
    site_id: i64,
    kind: Kind,
    ranges: Vec<Range>,
) -> Result<Vec<RangeAnswer>, Problem> {
    let (mut answers, mut left) = (Vec::new(), ROWS);
    for Range { from, to, sum, except } in ranges {
        let rows = store.held_records(site_id, kind, (from, to), left + 1).await?;
        if rows.len() > left {
            // A question of its own could read more of it, unless it was the first.
            if answers.is_empty() {
                answers.push(RangeAnswer { equal: false, records: None });
            }
            break;
        }
        left -= rows.len();
        let held = sum_of(&rows, &except);
        answers.push(RangeAnswer { equal: held == sum, records: Some(held.0) });
    }
    Ok(answers)
}

/// Which of the missing records are about erased people.
async fn erased_of(store: &Store, site_id: i64, missing: &[Id], named: &[Named]) -> Result<BTreeSet<Id>, Problem> {
    let missing: BTreeSet<Id> = missing.iter().copied().collect();
    let people: BTreeMap<Id, Id> =
        named.iter().filter(|named| missing.contains(&named.id)).filter_map(|n| Some((n.id, n.userid?))).collect();
    let keys: Vec<(i64, Id)> = people.values().map(|userid| (site_id, *userid)).collect();
    let erased = store.erased_people(&keys).await?;
    Ok(people.into_iter().filter(|(_, userid)| erased.contains_key(&(site_id, *userid))).map(|(id, _)| id).collect())
}

async fn compare_records(
    store: &Store,
    site_id: i64,
    kind: Kind,
    (from, to): (Id, Id),
    (mut named, except): (Vec<Named>, BTreeSet<Id>),
) -> Result<RecordsAnswer, Problem> {
    // As many again as Moodle may name: more are found by the next question.
    let limit = 2 * RECORDS;
    let rows = store.held_records(site_id, kind, (from, to), limit).await?;
    let to = rows.last().filter(|_| rows.len() == limit).map_or(to, |row| row.id);
    named.retain(|named| (from..=to).contains(&named.id));
    let digests: BTreeMap<Id, Digest> = named.iter().map(|named| (named.id, named.digest)).collect();
    let found = Differences::between(&digests, &rows, &except);
    let erased = erased_of(store, site_id, &found.missing, &named).await?;
    let references = store.references_of(site_id, kind, &found.surplus).await?;
    let surplus = found.surplus.iter().map(|id| {
        let [userid, courseid, itemid] = references.get(id).copied().unwrap_or_default().map(|id| id.map(|id| id.0));
        SurplusRecord { id: id.0, userid, courseid, itemid }
    });
    let numbers = |ids: &[Id]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
    Ok(RecordsAnswer {
        to: to.0,
        differing: numbers(&found.differing),
        missing: found.missing.iter().filter(|id| !erased.contains(id)).map(|id| id.0).collect(),
        surplus: surplus.collect(),
        unknown: numbers(&found.unknown),
        erased: erased.iter().map(|id| id.0).collect(),
    })
}

#[OpenApi(prefix_path = "/api/v1/events/moodle/parity", tag = "Tag::Moodle")]
impl Operations {
    /// Compare ranges of records
    ///
    /// For each range of ids, whether the backend holds the same living records in the same states as the plugin sent.
    /// Where a range differs, `records` says which do. Backends with the capability `parity` answer this.
    #[oai(path = "/", method = "post", operation_id = "compare_ranges")]
    async fn ranges(
        &self,
        token: SiteToken,
        context: Data<&Arc<Context>>,
        body: JsonText<ParityQuestion>,
    ) -> Result<Answer<ParityAnswer>, Failure<SendEvent>> {
        let site_id = token.0.site.id;
        let (text, _room) = body.read(&context.ingest, Some(site_id)).await?;
        let (kind, ranges) = read_fields(&text, |fields| {
            let kind = fields.required("kind");
            Some((kind?, fields.required::<UpTo<RANGES, Range>>("ranges")?.0))
        })?;
        Ok(Answer(ParityAnswer { ranges: compare_ranges(&context.store, site_id, kind, ranges).await? }))
    }

    /// Compare records
    ///
    /// For the records in a range of ids, which of them differ. What differs is sent again as an event.
    #[oai(path = "/records", method = "post", operation_id = "compare_records")]
    async fn records(
        &self,
        token: SiteToken,
        context: Data<&Arc<Context>>,
        body: JsonText<RecordsQuestion>,
    ) -> Result<Answer<RecordsAnswer>, Failure<SendEvent>> {
        let site_id = token.0.site.id;
        let (text, _room) = body.read(&context.ingest, Some(site_id)).await?;
        let (kind, range, records) = read_fields(&text, |fields| {
            let (kind, from, to) = (fields.required("kind"), fields.required("from"), fields.required("to"));
            let records = fields.required::<UpTo<RECORDS, Named>>("records");
            let except = ids_of(fields, "except");
            Some((kind?, (from?, to?), (records?.0, except?)))
        })?;
        Ok(Answer(compare_records(&context.store, site_id, kind, range, records).await?))
    }

    /// Report the result of a comparison
    ///
    /// The plugin reports each kind when its comparison has ended; people see it in console, API and command line.
    #[oai(path = "/result", method = "post", operation_id = "report_parity")]
    async fn result(
        &self,
        token: SiteToken,
        context: Data<&Arc<Context>>,
        body: JsonText<ParityResult>,
    ) -> Result<Answer<ResultKept>, Failure<SendEvent>> {
        let site = &token.0.site;
        let (text, _room) = body.read(&context.ingest, Some(site.id)).await?;
        let comparison = read_fields(&text, |fields| {
            let kind = fields.required("kind");
            let digest = fields.required("digest");
            let mut number = |name| {
                let number: Number = fields.required(name)?;
                i64::try_from(number.0).ok()
            };
            let (moodle_records, backend_records) = (number("moodle_records"), number("backend_records"));
            let (repaired, differing, unprovable) = (number("repaired"), number("differing"), number("unprovable"));
            Some(Comparison {
                site_id: site.id,
                kind: kind?,
                compared_at: context.clock.now(),
                moodle_records: moodle_records?,
                backend_records: backend_records?,
                digest: digest?,
                repaired: repaired?,
                differing: differing?,
                unprovable: unprovable?,
            })
        })?;
        context.tokens.check(&token.0, &context.own_store(), context.clock.now()).await?;
        context.store.save_comparison(&comparison).await?;
        let (kind, equal) = (comparison.kind.as_str(), comparison.is_equal());
        let Comparison { moodle_records, repaired, differing, .. } = comparison;
        tracing::info!(site = site.name, kind, equal, moodle_records, repaired, differing, "⚖️ Compared with Moodle");
        Ok(Answer(ResultKept { equal }))
    }
}

#[OpenApi(prefix_path = "/api/v1/parity", tag = "Tag::Records")]
impl Readings {
    /// See whether Moodle, the backend and the destination agree
    ///
    /// The last comparisons of both halves, in numbers and in one sentence.
    #[oai(path = "/", method = "get", operation_id = "get_parity")]
    async fn get(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
    ) -> Result<Answer<AgreementView>, Failure<ReadList>> {
        let destination = context.zoho().map(|_| Zoho::NAME);
        Ok(Answer(AgreementView::read(&context.store, destination).await?))
    }
}
