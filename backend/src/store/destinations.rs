//! The destinations: their pauses, credits and audits, and the access token that all processes share.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Select, SelectModel, Selector,
    sea_query::{Condition, Expr, ExprTrait, OnConflict},
};

use super::{
    Conservation, Hold, ItemRow, StoreError,
    connection::connect::Store,
    entity::destination::{self, Column},
    sql::{execute, query},
};
use crate::{clock::Timestamp, model::ItemState};

/// A destination as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationSummary {
    /// For example `zoho`.
    pub name: String,
    /// `None` while records are delivered.
    pub pause: Option<Pause>,
    /// Kinds of records that are held, while others are delivered; the oldest first.
    pub holds: Vec<Hold>,
    /// Why deliveries are slowed down, as a sentence.
    pub slow_reason: Option<String>,
    /// When it is expected to have caught up.
    pub done_at: Option<Timestamp>,
    /// The credits left as it last reported them, and when.
    pub credits: Option<(i64, Timestamp)>,
    /// The result of the last audit, and when.
    pub audit: Option<(Conservation, Timestamp)>,
}

impl DestinationSummary {
    /// The hold that keeps this item from being delivered.
    pub fn hold_of(&self, row: &ItemRow) -> Option<&Hold> {
        let is_of = |hold: &&Hold| hold.kind == row.key.kind && hold.records.includes(row.remote_id.is_some());
        (row.state == ItemState::Pending).then(|| self.holds.iter().find(is_of)).flatten()
    }
}

/// A pause of a whole destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// What paused it: `operator`, `credentials`, `configuration`, `organisation` or `credits`.
    pub cause: String,
    /// What is wrong and what to do.
    pub reason: String,
    /// When it was paused.
    pub since: Timestamp,
    /// When it is checked next; `None` when an operator paused it.
    pub check_at: Option<Timestamp>,
}

/// A stored access token: encrypted, so that the database alone is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedToken {
    /// The encrypted token.
    pub sealed: String,
    /// When the token expires.
    pub expires_at: Timestamp,
}

/// A destination, and whether it has holds: each round of a delivery asks, and mostly there are none.
#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    destination: destination::Model,
    held: bool,
}

fn with_holds(select: Select<destination::Entity>) -> Selector<SelectModel<Row>> {
    let held = Expr::cust("EXISTS (SELECT 1 FROM sync_holds WHERE sync_holds.destination = destinations.name)");
    select.expr_as(held, "held").into_model()
}

/// The row of `counters` that says when a destination was last found to fit its mapping.
fn checked(destination: &str) -> String {
    format!("{destination}_checked_at")
}

impl Store {
    /// Stores that the destination was compared with its mapping, and fits.
    pub async fn save_check(&self, destination: &str, at: Timestamp) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        execute(&self.write, sql, vec![checked(destination).into(), at.0.into()]).await?;
        Ok(())
    }

    /// When the destination was last compared with its mapping, and fitted.
    pub async fn last_check(&self, destination: &str) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT value FROM counters WHERE name = ?";
        let rows = query(&self.read, sql, vec![checked(destination).into()]).await?;
        rows.first().map(|row| Ok(Timestamp(row.try_get("", "value")?))).transpose()
    }

    /// Whether each record has its item for this destination: not before [`Store::add_destination`] is done.
    pub(super) async fn has_all_items(&self, name: &str) -> Result<bool, StoreError> {
        let known = destination::Entity::find_by_id(name).one(&self.read).await?;
        Ok(known.is_some_and(|row| row.complete))
    }

    /// Adds the destination, with a pending sync item for each existing record; returns whether it is new. Continues
    /// where a process was interrupted that began this.
    pub async fn add_destination(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        if self.has_all_items(name).await? {
            return Ok(false);
        }
        // Under the writers' lock: every later transaction that changes a record marks its item here, and no earlier one
        // is still open.
        let (transaction, _) = self.begin_write(0).await?;
        let row = destination::ActiveModel {
            name: Set(name.to_owned()),
            created_at: Set(now.0),
            complete: Set(false),
            ..Default::default()
        };
        let on_conflict = OnConflict::column(Column::Name).do_nothing().to_owned();
        let insert = destination::Entity::insert(row).on_conflict(on_conflict);
        let added = insert.exec_without_returning(transaction.connection()).await?;
        transaction.commit().await?;
        self.add_items(name, now).await?;
        destination::Entity::update_many()
            .col_expr(Column::Complete, Expr::value(true))
            .filter(Column::Name.eq(name))
            .exec(&self.write)
            .await?;
        Ok(added > 0)
    }

    /// The destination, if it was ever configured.
    pub async fn destination(&self, name: &str) -> Result<Option<DestinationSummary>, StoreError> {
        let found = with_holds(destination::Entity::find_by_id(name)).one(&self.read).await?;
        match found {
            Some(row) => Ok(Some(self.summary(row).await?)),
            None => Ok(None),
        }
    }

    async fn summary(&self, Row { destination, held }: Row) -> Result<DestinationSummary, StoreError> {
        let holds = if held { self.holds(&destination.name).await? } else { Vec::new() };
        Ok(DestinationSummary { holds, ..destination.into() })
    }

    /// All destinations.
    pub async fn destinations(&self) -> Result<Vec<DestinationSummary>, StoreError> {
        let mut destinations = Vec::new();
        for row in with_holds(destination::Entity::find()).all(&self.read).await? {
            destinations.push(self.summary(row).await?);
        }
        Ok(destinations)
    }

    /// Pauses the destination, unless it is paused already by `operator` or for the same cause; returns whether this
    /// call paused it.
    pub async fn pause_destination(&self, name: &str, pause: &Pause) -> Result<bool, StoreError> {
        let paused_otherwise = Condition::any()
            .add(Column::Pause.is_null())
            .add(Column::Pause.ne(pause.cause.as_str()).and(Column::Pause.ne(OPERATOR)));
        let result = destination::Entity::update_many()
            .col_expr(Column::Pause, Expr::value(pause.cause.as_str()))
            .col_expr(Column::PauseReason, Expr::value(pause.reason.as_str()))
            .col_expr(Column::PausedAt, Expr::value(pause.since.0))
            .col_expr(Column::CheckAt, Expr::value(pause.check_at.map(|time| time.0)))
            .filter(Column::Name.eq(name))
            .filter(paused_otherwise)
            .exec(&self.write)
            .await?;
        Ok(result.rows_affected > 0)
    }

    /// Takes the turn to check a paused destination, so that one process at a time does. The next turn is due at
    /// `next`.
    pub async fn begin_check(&self, name: &str, now: Timestamp, next: Timestamp) -> Result<bool, StoreError> {
        let result = destination::Entity::update_many()
            .col_expr(Column::CheckAt, Expr::value(next.0))
            .filter(Column::Name.eq(name))
            .filter(Column::Pause.is_not_null())
            .filter(Column::CheckAt.lte(now.0))
            .exec(&self.write)
            .await?;
        Ok(result.rows_affected > 0)
    }

    /// Sets the next check of a paused destination, unless an operator paused it.
    pub async fn set_check(&self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        destination::Entity::update_many()
            .col_expr(Column::CheckAt, Expr::value(at.0))
            .filter(Column::Name.eq(name))
            .filter(Column::CheckAt.is_not_null())
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// Ends a pause and all holds, whatever their cause. Returns whether there was one.
    pub async fn resume(&self, name: &str) -> Result<bool, StoreError> {
        let held = self.end_holds(name).await? > 0;
        Ok(self.resume_destination(name, None).await? || held)
    }

    /// Ends a pause with this cause, or with any if `cause` is `None`. Returns whether there was one.
    pub async fn resume_destination(&self, name: &str, cause: Option<&str>) -> Result<bool, StoreError> {
        let none = || Expr::value(Option::<i64>::None);
        let mut update = destination::Entity::update_many()
            .col_expr(Column::Pause, Expr::value(Option::<String>::None))
            .col_expr(Column::PauseReason, Expr::value(Option::<String>::None))
            .col_expr(Column::PausedAt, none())
            .col_expr(Column::CheckAt, none())
            .filter(Column::Name.eq(name))
            .filter(Column::Pause.is_not_null());
        if let Some(cause) = cause {
            update = update.filter(Column::Pause.eq(cause));
        }
        Ok(update.exec(&self.write).await?.rows_affected > 0)
    }

    /// Stores the credits left, and whether and why deliveries are slowed down.
    pub async fn save_credits(
        &self,
        name: &str,
        credits: Option<(i64, Timestamp)>,
        slow: Option<(&str, Option<Timestamp>)>,
    ) -> Result<(), StoreError> {
        let mut update = destination::Entity::update_many()
            .col_expr(Column::SlowReason, Expr::value(slow.map(|(reason, _)| reason)))
            .col_expr(Column::DoneAt, Expr::value(slow.and_then(|(_, done_at)| done_at).map(|time| time.0)))
            .filter(Column::Name.eq(name));
        if let Some((credits, at)) = credits {
            update =
                update.col_expr(Column::Credits, Expr::value(credits)).col_expr(Column::CreditsAt, Expr::value(at.0));
        }
        update.exec(&self.write).await?;
        Ok(())
    }

    /// Deletes the number of credits left: they are no longer scarce.
    pub async fn forget_credits(&self, name: &str) -> Result<(), StoreError> {
        destination::Entity::update_many()
            .col_expr(Column::Credits, Expr::value(Option::<i64>::None))
            .col_expr(Column::CreditsAt, Expr::value(Option::<i64>::None))
            .filter(Column::Name.eq(name))
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// The id of the organisation that the remote ids are from; `current` if that is not known yet.
    pub async fn organisation(&self, name: &str, current: &str) -> Result<String, StoreError> {
        destination::Entity::update_many()
            .col_expr(Column::Organisation, Expr::value(current))
            .filter(Column::Name.eq(name))
            .filter(Column::Organisation.is_null())
            .exec(&self.write)
            .await?;
        let row = destination::Entity::find_by_id(name).one(&self.read).await?;
        Ok(row.and_then(|row| row.organisation).unwrap_or_else(|| current.to_owned()))
    }

    /// Whether records at the destination with our keys are ours, although this database did not write them.
    pub async fn takes_over(&self, name: &str) -> Result<bool, StoreError> {
        Ok(destination::Entity::find_by_id(name).one(&self.read).await?.is_some_and(|row| row.takes_over))
    }

    /// Takes over records at the destination with our keys from now on.
    pub async fn take_over(&self, name: &str) -> Result<(), StoreError> {
        destination::Entity::update_many()
            .col_expr(Column::TakesOver, Expr::value(true))
            .filter(Column::Name.eq(name))
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// Believes nothing to be at the destination any more, because it is another organisation now. In steps; what was
    /// interrupted begins again.
    pub async fn leave_organisation(&self, name: &str, now: Timestamp) -> Result<u64, StoreError> {
        let forgotten = self.forget_remote(name, now).await?;
        destination::Entity::update_many()
            .col_expr(Column::Organisation, Expr::value(Option::<String>::None))
            .col_expr(Column::TakesOver, Expr::value(false))
            .filter(Column::Name.eq(name))
            .exec(&self.write)
            .await?;
        Ok(forgotten)
    }

    /// Stores an audit's result. An audit reads every record, so pages and metrics show the last result.
    pub async fn save_audit(&self, name: &str, audit: &Conservation, now: Timestamp) -> Result<(), StoreError> {
        destination::Entity::update_many()
            .col_expr(Column::Audit, Expr::value(serde_json::to_string(audit).ok()))
            .col_expr(Column::AuditedAt, Expr::value(now.0))
            .filter(Column::Name.eq(name))
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// The access token that all processes share.
    pub async fn access_token(&self, name: &str) -> Result<Option<SealedToken>, StoreError> {
        let row = destination::Entity::find_by_id(name).one(&self.read).await?;
        Ok(row.and_then(|row| {
            let (sealed, expires_at) = (row.access_token?, Timestamp(row.access_expires_at?));
            Some(SealedToken { sealed, expires_at })
        }))
    }

    /// Takes the turn to fetch a new access token, until `until`; false when another process has it.
    pub async fn begin_refresh(&self, name: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let free = Condition::any().add(Column::RefreshLeaseUntil.is_null()).add(Column::RefreshLeaseUntil.lte(now.0));
        let result = destination::Entity::update_many()
            .col_expr(Column::RefreshLeaseUntil, Expr::value(until.0))
            .filter(Column::Name.eq(name))
            .filter(free)
            .exec(&self.write)
            .await?;
        Ok(result.rows_affected > 0)
    }

    /// Ends the turn, and stores the new access token if there is one.
    pub async fn end_refresh(&self, name: &str, token: Option<&SealedToken>) -> Result<(), StoreError> {
        let mut update = destination::Entity::update_many()
            .col_expr(Column::RefreshLeaseUntil, Expr::value(Option::<i64>::None))
            .filter(Column::Name.eq(name));
        if let Some(token) = token {
            update = update
                .col_expr(Column::AccessToken, Expr::value(token.sealed.as_str()))
                .col_expr(Column::AccessExpiresAt, Expr::value(token.expires_at.0));
        }
        update.exec(&self.write).await?;
        Ok(())
    }
}

/// The cause of a pause that only a person ends.
pub const OPERATOR: &str = "operator";

impl From<destination::Model> for DestinationSummary {
    fn from(row: destination::Model) -> Self {
        let pause = row.pause.map(|cause| Pause {
            cause,
            reason: row.pause_reason.unwrap_or_default(),
            since: Timestamp(row.paused_at.unwrap_or_default()),
            check_at: row.check_at.map(Timestamp),
        });
        Self {
            name: row.name,
            pause,
            holds: Vec::new(),
            slow_reason: row.slow_reason,
            done_at: row.done_at.map(Timestamp),
            credits: row.credits.zip(row.credits_at.map(Timestamp)),
            audit: row.audit.and_then(|audit| serde_json::from_str(&audit).ok()).zip(row.audited_at.map(Timestamp)),
        }
    }
}
