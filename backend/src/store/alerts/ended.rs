//! Alerts that the database could not store while they were open.

use super::Alert;
use crate::store::{StoreError, connection::connect::Store, sql::execute};

/// An alert that was resolved before it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedAlert {
    /// Its unique reference.
    pub reference: String,
    /// With `resolved_at`.
    pub alert: Alert,
    /// Consecutive evaluations without a finding that resolved it.
    pub quiet_needed: u32,
}

impl Store {
    /// Stores it for the history, without notifications. Idempotent.
    pub async fn add_ended_alert(&self, ended: &EndedAlert) -> Result<(), StoreError> {
        let EndedAlert { reference, alert, quiet_needed } = ended;
        let quiet = i32::try_from(*quiet_needed).unwrap_or(i32::MAX);
        let known = "SELECT 1 FROM alerts WHERE reference = ? AND resolved_at IS NOT NULL";
        let sql = format!(
            "INSERT INTO alerts (reference, rule, subject, code, severity, title, message, link, raised_at, last_seen_at, \
             resolved_at, quiet, quiet_needed) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS ({known})"
        );
        let values = vec![
            reference.as_str().into(),
            alert.rule.as_str().into(),
            alert.subject.as_str().into(),
            alert.code.as_str().into(),
            alert.severity.as_str().into(),
            alert.title.as_str().into(),
            alert.message.as_str().into(),
            alert.link.as_str().into(),
            alert.raised_at.0.into(),
            alert.last_seen_at.0.into(),
            alert.resolved_at.unwrap_or(alert.last_seen_at).0.into(),
            quiet.into(),
            quiet.into(),
            reference.as_str().into(),
        ];
        execute(&self.write, &sql, values).await?;
        Ok(())
    }
}
