//! Evaluating the rules: one process at a time holds the turn, and stores the changed alerts and their notifications in
//! one transaction.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, QueryResult};

use super::{moment, number, word};
use crate::{
    clock::Timestamp,
    model::{AlertChange, AlertPolicy, NotificationEvent, Observation, OpenAlert, Severity, Told, ToldCause},
    store::{
        StoreError,
        connection::connect::Store,
        connection::transaction::Transaction,
        sql::{execute, query},
    },
};

/// The transaction of the process that holds the turn.
pub struct AlertTurn {
    transaction: Transaction,
}

/// A change of an alert that its channels are notified of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// What happened to the alert.
    pub event: NotificationEvent,
    /// The rule that raised it.
    pub rule: String,
    /// What it is about, for example `destination:zoho`.
    pub subject: String,
    /// The worst since it was raised.
    pub severity: Severity,
    /// The finding in one line.
    pub title: String,
    /// What is or was wrong, and what to do.
    pub message: String,
    /// The console's page where it is remedied.
    pub link: String,
}

impl Announcement {
    fn new(event: NotificationEvent, finding: Observation) -> Self {
        let Observation { rule, subject, severity, title, message, link, .. } = finding;
        Self { event, rule: rule.as_str().to_owned(), subject, severity, title, message, link }
    }
}

/// What is needed to write notifications.
pub(super) struct Writing<'a> {
    pub(super) policy: &'a AlertPolicy,
    /// The channels for alerts about a subject.
    pub(super) channels: &'a (dyn Fn(&str) -> Vec<String> + Send + Sync),
    /// Makes unique references.
    pub(super) reference: &'a (dyn Fn() -> String + Send + Sync),
    pub(super) now: Timestamp,
}

impl Store {
    /// Takes the turn until `until`; false when it is not due yet, or another process has it.
    pub async fn begin_alert_turn(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        // Read first: mostly it is not due yet, and a read does not delay writers.
        let free = "name = 'look' AND due_at <= ? AND (lease_until IS NULL OR lease_until <= ? OR holder = ?)";
        let places = [now.0.into(), now.0.into(), holder.into()];
        let sql = format!("SELECT name FROM alert_turns WHERE {free}");
        if query(&self.read, &sql, places.to_vec()).await?.is_empty() {
            return Ok(false);
        }
        let sql = format!("UPDATE alert_turns SET holder = ?, lease_until = ? WHERE {free}");
        let values = [holder.into(), until.0.into()].into_iter().chain(places).collect();
        Ok(execute(&self.write, &sql, values).await? > 0)
    }

    /// Begins the transaction that stores the findings and ends the turn; the next one is due at `next`. `evaluated` is
    /// when all rules were evaluated, if they were. `None` when the turn was lost meanwhile.
    pub async fn end_alert_turn(
        &self,
        holder: &str,
        evaluated: Option<Timestamp>,
        next: Timestamp,
    ) -> Result<Option<AlertTurn>, StoreError> {
        let transaction = self.begin_immediate().await?;
        let sql = "UPDATE alert_turns SET due_at = ?, evaluated_at = coalesce(?, evaluated_at), lease_until = NULL, \
                   holder = NULL WHERE name = 'look' AND holder = ?";
        let values = vec![next.0.into(), evaluated.map(|at| at.0).into(), holder.into()];
        let mine = execute(&transaction, sql, values).await?;
        Ok((mine > 0).then_some(AlertTurn { transaction }))
    }
}

impl AlertTurn {
    /// The open alerts. Acknowledgements that are over end.
    pub async fn open(&self, now: Timestamp) -> Result<Vec<OpenAlert>, StoreError> {
        let over = "UPDATE alerts SET acknowledged_at = NULL, acknowledged_by = NULL, acknowledged_until = NULL \
                    WHERE resolved_at IS NULL AND acknowledged_until <= ?";
        execute(&self.transaction, over, vec![now.0.into()]).await?;
        let sql = "SELECT id, rule, subject, severity, acknowledged_at, told, told_at, quiet, quiet_needed, remind_at \
                   FROM alerts WHERE resolved_at IS NULL ORDER BY id";
        let open = |row: &QueryResult| {
            Ok(OpenAlert {
                id: row.try_get("", "id")?,
                rule: word(row, "rule")?,
                subject: row.try_get("", "subject")?,
                severity: word(row, "severity")?,
                acknowledged: moment(row, "acknowledged_at")?.is_some(),
                told: told_of(row)?,
                quiet: number(row, "quiet")?,
                quiet_needed: number(row, "quiet_needed")?,
                remind_at: moment(row, "remind_at")?,
            })
        };
        query(&self.transaction, sql, vec![]).await?.iter().map(open).collect()
    }

    /// Stores changes and their notifications, for the channels that `channels` returns for a subject. Returns what is
    /// announced. `reference` makes unique references.
    pub async fn write(
        &self,
        changes: Vec<AlertChange>,
        policy: &AlertPolicy,
        channels: &(dyn Fn(&str) -> Vec<String> + Send + Sync),
        reference: &(dyn Fn() -> String + Send + Sync),
        now: Timestamp,
    ) -> Result<Vec<Announcement>, StoreError> {
        let writing = Writing { policy, channels, reference, now };
        let mut announcements = Vec::new();
        for change in changes {
            announcements.extend(match change {
                AlertChange::Raise(finding) => Some(self.raise(finding, &writing).await?),
                AlertChange::Keep { id, finding, notify, told } => {
                    self.keep(id, &finding, &told, &writing).await?;
                    self.tell(id, finding, notify, &writing).await?
                }
                AlertChange::Quiet { id } => {
                    let sql = "UPDATE alerts SET quiet = quiet + 1 WHERE id = ?";
                    execute(&self.transaction, sql, vec![id.into()]).await?;
                    None
                }
                AlertChange::Resolve { id } => self.resolve(id, &writing).await?,
            });
        }
        Ok(announcements)
    }

    /// Commits the changes and the end of the turn.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await
    }

    async fn raise(&self, finding: Observation, writing: &Writing<'_>) -> Result<Announcement, StoreError> {
        let Observation { rule, subject, code, severity, title, message, link, .. } = &finding;
        let before = "SELECT quiet_needed, resolved_at FROM alerts WHERE rule = ? AND subject = ? \
                      AND resolved_at IS NOT NULL ORDER BY id DESC LIMIT 1";
        let before = query(&self.transaction, before, vec![rule.as_str().into(), subject.as_str().into()]).await?;
        let before = match before.first() {
            Some(row) => Some((number(row, "quiet_needed")?, Timestamp(row.try_get("", "resolved_at")?))),
            None => None,
        };
        let Writing { policy, now, .. } = writing;
        let needed = i32::try_from(policy.quiet_needed(before, *now)).unwrap_or(i32::MAX);
        let remind_at = policy.remind.map(|time| now.after(time).0);
        let sql = "INSERT INTO alerts (reference, rule, subject, code, severity, title, message, link, told, told_at, \
                   raised_at, last_seen_at, quiet, quiet_needed, remind_at) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?) RETURNING id";
        let values = vec![
            (writing.reference)().into(),
            rule.as_str().into(),
            subject.as_str().into(),
            (*code).into(),
            severity.as_str().into(),
            title.as_str().into(),
            message.as_str().into(),
            link.as_str().into(),
            text_of(&Told::all(&finding, *now)).into(),
            now.0.into(),
            now.0.into(),
            now.0.into(),
            needed.into(),
            remind_at.into(),
        ];
        let rows = query(&self.transaction, sql, values).await?;
        let id: i64 = rows.first().map(|row| row.try_get("", "id")).transpose()?.unwrap_or_default();
        let raised = Announcement::new(NotificationEvent::Raised, finding);
        for channel in (writing.channels)(&raised.subject) {
            self.notify(id, &channel, &raised, writing).await?;
        }
        Ok(raised)
    }

    /// Stores the latest finding.
    async fn keep(&self, id: i64, finding: &Observation, told: &Told, writing: &Writing<'_>) -> Result<(), StoreError> {
        let Observation { code, severity, title, message, link, .. } = finding;
        let sql = "UPDATE alerts SET code = ?, severity = ?, title = ?, message = ?, link = ?, told = ?, told_at = ?, \
                   last_seen_at = ?, quiet = 0 WHERE id = ?";
        let values = vec![
            (*code).into(),
            severity.as_str().into(),
            title.as_str().into(),
            message.as_str().into(),
            link.as_str().into(),
            text_of(told).into(),
            told.at.0.into(),
            writing.now.0.into(),
            id.into(),
        ];
        execute(&self.transaction, sql, values).await?;
        Ok(())
    }

    /// Tells the channels what is news about an open alert, and those that never heard of it all of it.
    async fn tell(
        &self,
        id: i64,
        finding: Observation,
        notify: Option<(NotificationEvent, Observation)>,
        writing: &Writing<'_>,
    ) -> Result<Option<Announcement>, StoreError> {
        let news = notify.map(|(event, told)| Announcement::new(event, told));
        if news.is_some() {
            let remind_at = writing.policy.remind.map(|time| writing.now.after(time).0);
            // The acknowledgement was for something less, or is over.
            let sql = "UPDATE alerts SET remind_at = ?, acknowledged_at = NULL, acknowledged_by = NULL, \
                       acknowledged_until = NULL WHERE id = ?";
            execute(&self.transaction, sql, vec![remind_at.into(), id.into()]).await?;
        }
        let heard = self.heard(id).await?;
        let all = Announcement::new(NotificationEvent::Raised, finding);
        for channel in (writing.channels)(&all.subject) {
            match (heard.contains(&channel), &news) {
                (false, _) => self.notify(id, &channel, &all, writing).await?,
                (true, Some(news)) => self.notify(id, &channel, news, writing).await?,
                (true, None) => {}
            }
        }
        Ok(news)
    }

    async fn resolve(&self, id: i64, writing: &Writing<'_>) -> Result<Option<Announcement>, StoreError> {
        withdraw_reminders(&self.transaction, id).await?;
        let sql =
            "UPDATE alerts SET resolved_at = ? WHERE id = ? RETURNING rule, subject, severity, title, message, link";
        let rows = query(&self.transaction, sql, vec![writing.now.0.into(), id.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let resolved = Announcement {
            event: NotificationEvent::Resolved,
            rule: row.try_get("", "rule")?,
            subject: row.try_get("", "subject")?,
            severity: word(row, "severity")?,
            title: row.try_get("", "title")?,
            message: row.try_get("", "message")?,
            link: row.try_get("", "link")?,
        };
        let heard = self.heard(id).await?;
        // Who never heard of it need not know that it is over.
        for channel in (writing.channels)(&resolved.subject).into_iter().filter(|channel| heard.contains(channel)) {
            self.notify(id, &channel, &resolved, writing).await?;
        }
        Ok(Some(resolved))
    }

    /// The channels that have a notification about an alert.
    async fn heard(&self, id: i64) -> Result<HashSet<String>, StoreError> {
        let sql = "SELECT DISTINCT channel FROM alert_notices WHERE alert_id = ?";
        let rows = query(&self.transaction, sql, vec![id.into()]).await?;
        rows.iter().map(|row| Ok(row.try_get("", "channel")?)).collect()
    }

    async fn notify(
        &self,
        id: i64,
        channel: &str,
        announcement: &Announcement,
        writing: &Writing<'_>,
    ) -> Result<(), StoreError> {
        let Announcement { event, severity, title, message, link, .. } = announcement;
        let sql = "INSERT INTO alert_notices (reference, alert_id, channel, event, severity, title, message, link, state, \
                   attempts, next_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', 0, ?, ?)";
        let values = vec![
            (writing.reference)().into(),
            id.into(),
            channel.into(),
            event.as_str().into(),
            severity.as_str().into(),
            title.as_str().into(),
            message.as_str().into(),
            link.as_str().into(),
            writing.now.0.into(),
            writing.now.0.into(),
        ];
        execute(&self.transaction, sql, values).await?;
        Ok(())
    }
}

/// What was told of an alert. What cannot be read counts as never stored: it is told from now on.
fn told_of(row: &QueryResult) -> Result<Option<Told>, StoreError> {
    let causes: Option<String> = row.try_get("", "told")?;
    let causes = causes.and_then(|text| serde_json::from_str(&text).ok());
    Ok(causes.zip(moment(row, "told_at")?).map(|(causes, at)| Told { causes, at }))
}

fn text_of(told: &Told) -> Option<String> {
    serde_json::to_string(&told.causes).ok()
}

/// Notes that somebody knows an alert as it is now. Its row is locked.
pub(super) async fn tell_all(connection: &impl ConnectionTrait, id: i64, now: Timestamp) -> Result<(), StoreError> {
    let rows = query(connection, "SELECT told, told_at FROM alerts WHERE id = ?", vec![id.into()]).await?;
    let Some(told) = rows.first().map(told_of).transpose()?.flatten() else { return Ok(()) };
    let told = Told { causes: told.causes.into_iter().map(ToldCause::told_now).collect(), at: now };
    let sql = "UPDATE alerts SET told = ?, told_at = ? WHERE id = ?";
    execute(connection, sql, vec![text_of(&told).into(), now.0.into(), id.into()]).await?;
    Ok(())
}

/// Deletes reminders that have not been sent yet.
pub(super) async fn withdraw_reminders(connection: &impl ConnectionTrait, alert_id: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM alert_notices WHERE alert_id = ? AND event = 'reminder' AND state = 'pending'";
    execute(connection, sql, vec![alert_id.into()]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{
        clock::Timestamp,
        limits,
        store::{NoDatabase, Store},
    };

    #[tokio::test]
    async fn a_turn_is_reclaimed_only_by_its_holder_until_its_lease_expires() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.sqlite").display());
        let (store, _) = Store::open(&url.parse().unwrap(), NoDatabase::CreateUnlessLost).await.unwrap();
        let now = Timestamp(1_795_335_000_000);
        let until = now.after(limits::ALERT_TURN);
        assert!(store.begin_alert_turn("a", now, until).await.unwrap());
        // As after an evaluation that could not be stored: the turn was not ended.
        assert!(store.begin_alert_turn("a", now, until).await.unwrap());
        assert!(!store.begin_alert_turn("b", now, until).await.unwrap());
        let next = now.after(Duration::from_secs(60));
        store.end_alert_turn("a", None, next).await.unwrap().unwrap().commit().await.unwrap();
        assert!(!store.begin_alert_turn("a", now, until).await.unwrap(), "it is not due");
        assert!(store.begin_alert_turn("b", next, next.after(limits::ALERT_TURN)).await.unwrap());
        let over = next.after(limits::ALERT_TURN);
        assert!(store.begin_alert_turn("a", over, over.after(limits::ALERT_TURN)).await.unwrap());
        assert!(store.end_alert_turn("b", None, over).await.unwrap().is_none(), "it was lost");
    }
}
