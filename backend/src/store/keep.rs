//! What a database must learn from the register, and the register from the database: whenever a program opens it.

use std::collections::BTreeMap;

use super::{
    BrakeLimits, Erasure, ErasureRequest, Life, StoreError, UserFilter,
    connection::connect::Store,
    life::life_in,
    register::{Entry, Kept, KeptLife, KeptPerson, Register},
    sql::{count, execute, query, word},
};
use crate::{
    clock::Timestamp,
    model::{ErasurePolicy, Id},
};

/// What was done to a database that is older than its register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reapplied {
    /// It was restored from a backup without our command, so another life begins.
    pub noticed: bool,
    /// People who are erased again.
    pub erased: usize,
    /// People whose erasure is lifted again.
    pub lifted: usize,
    /// Tokens that are revoked again.
    pub revoked: usize,
}

/// Whether there is a register, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterState {
    /// With this many people and tokens.
    Kept(usize, usize),
    /// There is no file, and this many erasures and revocations should be in it.
    Missing(u64),
    /// None is configured, and this many erasures and revocations would come undone by a restore.
    NotConfigured(u64),
}

/// The origin of an erasure that was made before the database was restored.
const BY_RESTORE: &str = "restore";

/// What was decided is not braked again.
const NO_BRAKE: BrakeLimits = BrakeLimits { minimum: 0, percent: 0, window: std::time::Duration::ZERO };

/// The newest erasure of a person that has begun.
struct Known {
    id: i64,
    person: KeptPerson,
}

impl Life {
    fn kept(&self) -> KeptLife {
        KeptLife {
            restored_at: self.restored_at.map(|at| at.0),
            position: self.position,
            incarnation: self.incarnation.to_string(),
        }
    }

    /// Whether the register has seen more of this database than is in it.
    fn is_behind(&self, kept: &KeptLife) -> bool {
        let own = self.kept();
        own.restored_at < kept.restored_at
            || own.restored_at == kept.restored_at
                && own.incarnation == kept.incarnation
                && own.position < kept.position
    }
}

impl Store {
    pub(super) fn register(&self) -> Option<Register> {
        self.url.register().map(Register)
    }

    /// Begins a new life if the database is older than its register, applies what the register holds, and enters there
    /// what it lacks.
    pub async fn reapply_register(&self, now: Timestamp) -> Result<Reapplied, StoreError> {
        let Some(register) = self.register() else { return Ok(Reapplied::default()) };
        let kept = register.read()?;
        let noticed = match &kept.life {
            Some(seen) => self.begin_life_if_behind(seen, now).await?,
            None => false,
        };
        let done = self.learn(&register, &kept, now).await?;
        if let Err(error) = self.note_life(kept.life.as_ref()).await {
            tracing::error!(%error, "the register does not know how far the event counter has come");
        }
        Ok(Reapplied { noticed, ..done })
    }

    /// Applies what the register holds, and enters there what it lacks, except how far this life has come.
    pub(in crate::store) async fn learn_from_register(&self, now: Timestamp) -> Result<Reapplied, StoreError> {
        let Some(register) = self.register() else { return Ok(Reapplied::default()) };
        let kept = register.read()?;
        self.learn(&register, &kept, now).await
    }

    async fn learn(&self, register: &Register, kept: &Kept, now: Timestamp) -> Result<Reapplied, StoreError> {
        let mut done = Reapplied::default();
        let mut missing = self.reapply_erasures(kept, now, &mut done).await?;
        missing.extend(self.reapply_revocations(kept, &mut done).await?);
        if let Err(error) = register.append(missing).await {
            // What is done from now on fails if it must be entered; what was done before is entered at the next start.
            tracing::error!(%error, "the register lacks what is in the database");
        }
        Ok(done)
    }

    /// Enters how far the database's life has come, unless that is as `noted`. Returns how far it is.
    pub async fn note_position(&self, noted: Option<Life>) -> Result<Life, StoreError> {
        self.note_life(noted.map(|life| life.kept()).as_ref()).await
    }

    async fn note_life(&self, seen: Option<&KeptLife>) -> Result<Life, StoreError> {
        let life = self.life().await?;
        if seen != Some(&life.kept()) {
            self.enter(Entry::Life(life.kept())).await?;
        }
        Ok(life)
    }

    /// Whether there is a register.
    pub async fn register_state(&self) -> Result<RegisterState, StoreError> {
        let register = self.register();
        if let Some(register) = register.as_ref().filter(|register| register.0.exists()) {
            let kept = register.read()?;
            return Ok(RegisterState::Kept(kept.people.len(), kept.revoked.len()));
        }
        let sql = "SELECT count(*) AS count FROM tokens WHERE revoked_at IS NOT NULL";
        let undone = self.begun_erasures().await?.len() as u64 + count(&self.read, sql, vec![]).await?;
        Ok(if register.is_some() { RegisterState::Missing(undone) } else { RegisterState::NotConfigured(undone) })
    }

    async fn begin_life_if_behind(&self, seen: &KeptLife, now: Timestamp) -> Result<bool, StoreError> {
        if !self.life().await?.is_behind(seen) {
            return Ok(false);
        }
        // Under the writers' lock: another process may be first.
        let (transaction, _) = self.begin_write(0).await?;
        let behind = life_in(transaction.connection()).await?.is_behind(seen);
        if behind {
            transaction.begin_life(now, None).await?;
        }
        transaction.commit().await?;
        Ok(behind)
    }

    /// Returns what the register lacks.
    async fn reapply_erasures(
        &self,
        kept: &Kept,
        now: Timestamp,
        done: &mut Reapplied,
    ) -> Result<Vec<Entry>, StoreError> {
        let known = self.begun_erasures().await?;
        let mut missing = Vec::new();
        for ((site, user), Known { id, person }) in &known {
            match kept.people.get(&(site.clone(), *user)) {
                Some(entered) if entered.at > person.at && entered.erased.is_none() && person.erased.is_some() => {
                    done.lifted += usize::from(self.lift_erasure(*id, now).await?);
                }
                Some(entered) if entered.at >= person.at => {}
                _ => missing.push(entry(site.clone(), *user, *person)),
            }
        }
        let sites = self.site_names().await?.into_iter().map(|(id, name)| (name, id)).collect::<BTreeMap<_, _>>();
        for ((site, user), entered) in &kept.people {
            let is_known = known.get(&(site.clone(), *user));
            let is_erased =
                is_known.is_some_and(|known| known.person.erased.is_some() || known.person.at >= entered.at);
            // Of a site that is not there yet, nothing is stored either.
            let (Some(policy), false, Some(site_id)) = (entered.erased, is_erased, sites.get(site)) else { continue };
            self.erase_again(UserFilter { site_id: *site_id, userid: Id(*user) }, policy, now).await?;
            done.erased += 1;
        }
        Ok(missing)
    }

    /// Erases a person whose erasure began in an earlier life: here at once, and the server does the rest.
    async fn erase_again(&self, user: UserFilter, policy: ErasurePolicy, now: Timestamp) -> Result<(), StoreError> {
        let request = ErasureRequest { user, policy, requested_by: BY_RESTORE, due_at: now };
        let id = self.request_erasure(&request, now).await?;
        self.begin_erasure(id, NO_BRAKE, now).await?;
        let Some(erasure): Option<Erasure> = self.erasure(id).await? else { return Ok(()) };
        while self.blank_step(&erasure, now).await? > 0 {}
        Ok(())
    }

    /// Returns what the register lacks.
    async fn reapply_revocations(&self, kept: &Kept, done: &mut Reapplied) -> Result<Vec<Entry>, StoreError> {
        let mut missing = Vec::new();
        for row in query(&self.read, "SELECT hash, revoked_at FROM tokens", vec![]).await? {
            let (hash, revoked_at): (String, Option<i64>) = (row.try_get("", "hash")?, row.try_get("", "revoked_at")?);
            match (kept.revoked.get(&hash), revoked_at) {
                (Some(at), None) => {
                    let sql = "UPDATE tokens SET revoked_at = ? WHERE hash = ?";
                    execute(&self.write, sql, vec![(*at).into(), hash.into()]).await?;
                    done.revoked += 1;
                }
                (None, Some(at)) => missing.push(Entry::Revoked { hash, at }),
                _ => {}
            }
        }
        Ok(missing)
    }

    /// The newest erasure of each person that has begun.
    async fn begun_erasures(&self) -> Result<BTreeMap<(String, i64), Known>, StoreError> {
        let sql = "SELECT e.id, s.name, e.moodle_id, e.policy, e.begun_at, e.lifted_at FROM erasures e \
                   JOIN sites s ON s.id = e.site_id WHERE e.begun_at IS NOT NULL ORDER BY e.id";
        let mut known = BTreeMap::new();
        for row in query(&self.read, sql, vec![]).await? {
            let (id, site, user) = (row.try_get("", "id")?, row.try_get("", "name")?, row.try_get("", "moodle_id")?);
            let (begun, lifted): (i64, Option<i64>) = (row.try_get("", "begun_at")?, row.try_get("", "lifted_at")?);
            let person = match lifted {
                Some(at) => KeptPerson { erased: None, at },
                None => KeptPerson { erased: Some(word(&row, "policy")?), at: begun },
            };
            known.insert((site, user), Known { id, person });
        }
        Ok(known)
    }

    /// Enters that a person's erasure begins, before it counts.
    pub(super) async fn enter_erasure(
        &self,
        site: String,
        user: i64,
        policy: ErasurePolicy,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.enter(Entry::Erased { site, user, policy, at: at.0 }).await
    }

    /// Enters that an erasure was lifted. If that fails, it is entered when the database is opened next.
    pub(super) async fn enter_lift(&self, site: String, user: i64, at: Timestamp) {
        if let Err(error) = self.enter(Entry::Lifted { site, user, at: at.0 }).await {
            tracing::warn!(%error, "the register does not know yet that an erasure was lifted");
        }
    }

    /// Enters that a token is revoked, before it is.
    pub(super) async fn enter_revocation(&self, hash: String, at: Timestamp) -> Result<(), StoreError> {
        self.enter(Entry::Revoked { hash, at: at.0 }).await
    }

    async fn enter(&self, entry: Entry) -> Result<(), StoreError> {
        match self.register() {
            Some(register) => register.append(vec![entry]).await,
            None => Ok(()),
        }
    }
}

fn entry(site: String, user: i64, person: KeptPerson) -> Entry {
    match person.erased {
        Some(policy) => Entry::Erased { site, user, policy, at: person.at },
        None => Entry::Lifted { site, user, at: person.at },
    }
}
