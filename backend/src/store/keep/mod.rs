//! What a database must learn from the register, and the register from the database: whenever a program opens it.

mod adoptions;
mod people;

use super::{
    Life, StoreError,
    connection::connect::Store,
    life::life_in,
    register::{Entry, Kept, KeptLife, Register},
    sql::{execute, query},
};
use crate::clock::Timestamp;

/// What was done to a database that is older than its register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reapplied {
    /// It was restored from a backup without our command, so another life begins.
    pub noticed: bool,
    /// People who are erased again.
    pub erased: usize,
    /// People whose erasure is requested again.
    pub requested: usize,
    /// People whose erasure is lifted again.
    pub lifted: usize,
    /// Tokens that are revoked again.
    pub revoked: usize,
    /// Adoptions that are decided again.
    pub decided: usize,
}

impl Reapplied {
    /// Whether it was older.
    pub fn is_anything(&self) -> bool {
        self.erased + self.requested + self.lifted + self.revoked + self.decided > 0
    }
}

/// Whether there is a register, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterState {
    /// With this many people, tokens and adoptions.
    Kept(usize, usize, usize),
    /// There is no file, and so much should be in it.
    Missing(usize),
    /// None is configured, and so much would come undone by a restore.
    NotConfigured(usize),
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
        missing.extend(self.reapply_decisions(kept, &mut done).await?);
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
            return Ok(RegisterState::Kept(kept.people.len(), kept.revoked.len(), kept.adoptions.len()));
        }
        let (kept, mut done) = (Kept::default(), Reapplied::default());
        let undone = self.missing_people(&kept).await?.len()
            + self.reapply_revocations(&kept, &mut done).await?.len()
            + self.missing_decisions(&kept).await?.len();
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
