//! Whose erasure was requested, has begun or was lifted: nobody comes back, and nobody goes who was to stay.

use std::collections::BTreeMap;

use sea_orm::QueryResult;

use super::Reapplied;
use crate::{
    clock::Timestamp,
    model::{ErasurePolicy, Id},
    store::{
        BrakeLimits, Erasure, ErasureRequest, Store, StoreError, UserFilter,
        erasure::{BY_MOODLE, BY_RESTORE},
        register::{Entry, Kept, KeptPerson, PersonState},
        sql::{query, word},
    },
};

/// What was decided is not braked again.
const NO_BRAKE: BrakeLimits = BrakeLimits { minimum: 0, percent: 0, window: std::time::Duration::ZERO };

/// The newest erasure of a person.
struct Known {
    id: i64,
    person: KeptPerson,
    /// It follows from a deletion in Moodle, which reports that again.
    by_moodle: bool,
}

impl Known {
    /// Whether the database knows what the register says, or something newer.
    fn covers(&self, entered: KeptPerson) -> bool {
        match (self.person.state, entered.state) {
            (PersonState::Erased(_), _) => true,
            (PersonState::Requested(_, due), PersonState::Requested(_, entered)) if due <= entered => true,
            _ => self.person.at >= entered.at,
        }
    }
}

impl Store {
    /// Returns what the register lacks.
    pub(super) async fn reapply_erasures(
        &self,
        kept: &Kept,
        now: Timestamp,
        done: &mut Reapplied,
    ) -> Result<Vec<Entry>, StoreError> {
        let known = self.known_erasures().await?;
        for (person, Known { id, person: own, .. }) in &known {
            let entered = kept.people.get(person).filter(|entered| entered.at > own.at);
            if own.state != PersonState::Lifted && entered.is_some_and(|found| found.state == PersonState::Lifted) {
                done.lifted += usize::from(self.lift_erasure(*id, now).await?);
            }
        }
        let sites = self.site_names().await?.into_iter().map(|(id, name)| (name, id)).collect::<BTreeMap<_, _>>();
        for ((site, user), entered) in &kept.people {
            let is_known = known.get(&(site.clone(), *user)).is_some_and(|known| known.covers(*entered));
            // Of a site that is not there yet, nothing is stored either.
            let (false, Some(site_id)) = (is_known, sites.get(site)) else { continue };
            let user = UserFilter { site_id: *site_id, userid: Id(*user) };
            match entered.state {
                PersonState::Lifted => {}
                PersonState::Erased(policy) => {
                    self.erase_again(user, policy, now).await?;
                    done.erased += 1;
                }
                PersonState::Requested(policy, due) => {
                    self.request_again(user, policy, Timestamp(due), now).await?;
                    done.requested += 1;
                }
            }
        }
        Ok(missing(&known, kept))
    }

    /// What the register lacks.
    pub(super) async fn missing_people(&self, kept: &Kept) -> Result<Vec<Entry>, StoreError> {
        Ok(missing(&self.known_erasures().await?, kept))
    }

    /// Erases a person whose erasure began in an earlier life: here at once, and the server does the rest.
    async fn erase_again(&self, user: UserFilter, policy: ErasurePolicy, now: Timestamp) -> Result<(), StoreError> {
        let id = self.request_again(user, policy, now, now).await?;
        self.begin_erasure(id, NO_BRAKE, now).await?;
        let Some(erasure): Option<Erasure> = self.erasure(id).await? else { return Ok(()) };
        while self.blank_step(&erasure, now).await? > 0 {}
        Ok(())
    }

    async fn request_again(
        &self,
        user: UserFilter,
        policy: ErasurePolicy,
        due_at: Timestamp,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        self.request_erasure(&ErasureRequest { user, policy, requested_by: BY_RESTORE, due_at }, now).await
    }

    /// The newest erasure of each person.
    async fn known_erasures(&self) -> Result<BTreeMap<(String, i64), Known>, StoreError> {
        let sql = "SELECT e.id, s.name, e.moodle_id, e.policy, e.requested_by, e.requested_at, e.due_at, e.begun_at, e.lifted_at \
                   FROM erasures e JOIN sites s ON s.id = e.site_id ORDER BY e.id";
        let mut known = BTreeMap::new();
        for row in query(&self.read, sql, vec![]).await? {
            let (id, site, user) = (row.try_get("", "id")?, row.try_get("", "name")?, row.try_get("", "moodle_id")?);
            let by_moodle = row.try_get::<String>("", "requested_by")? == BY_MOODLE;
            known.insert((site, user), Known { id, person: person_of(&row)?, by_moodle });
        }
        Ok(known)
    }

    /// Enters that a person's erasure is requested, before it is.
    pub(in crate::store) async fn enter_request(
        &self,
        site: String,
        user: i64,
        (policy, due): (ErasurePolicy, i64),
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.enter(Entry::Requested { site, user, policy, due, at: at.0 }).await
    }

    /// Enters that a person's erasure begins, before it counts.
    pub(in crate::store) async fn enter_erasure(
        &self,
        site: String,
        user: i64,
        policy: ErasurePolicy,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.enter(Entry::Erased { site, user, policy, at: at.0 }).await
    }

    /// Enters whose erasures were lifted, and when. If that fails, it is entered when the database is opened next.
    pub(in crate::store) async fn enter_lifts(&self, site_id: i64, people: Vec<(i64, i64)>) {
        let Some(register) = self.register().filter(|_| !people.is_empty()) else { return };
        let entered = async {
            let site = self.site_names().await?.remove(&site_id).unwrap_or_default();
            let lifted = |(user, at)| Entry::Lifted { site: site.clone(), user, at };
            register.append(people.into_iter().map(lifted).collect()).await
        };
        if let Err(error) = entered.await {
            tracing::warn!(%error, "the register does not know yet that an erasure was lifted");
        }
    }
}

fn person_of(row: &QueryResult) -> Result<KeptPerson, StoreError> {
    let at = |column: &str| row.try_get::<Option<i64>>("", column);
    Ok(match (at("lifted_at")?, at("begun_at")?) {
        (Some(at), _) => KeptPerson { state: PersonState::Lifted, at },
        (None, Some(at)) => KeptPerson { state: PersonState::Erased(word(row, "policy")?), at },
        (None, None) => {
            let state = PersonState::Requested(word(row, "policy")?, row.try_get("", "due_at")?);
            KeptPerson { state, at: row.try_get("", "requested_at")? }
        }
    })
}

fn missing(known: &BTreeMap<(String, i64), Known>, kept: &Kept) -> Vec<Entry> {
    let is_missing = |(person, known): &(&(String, i64), &Known)| {
        let is_older = kept.people.get(*person).is_none_or(|entered| entered.at < known.person.at);
        is_older && !(known.by_moodle && matches!(known.person.state, PersonState::Requested(..)))
    };
    let missing = known.iter().filter(is_missing);
    missing.map(|((site, user), known)| known.person.entry(site.clone(), *user)).collect()
}
