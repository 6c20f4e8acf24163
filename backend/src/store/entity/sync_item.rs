//! Table `sync_items`: the state of each record at each destination.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_items")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) destination: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) site_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) moodle_id: i64,
    pub(crate) state: String,
    pub(crate) lane: i32,
    pub(crate) revision: i64,
    pub(crate) changed_at: i64,
    /// Since when it is pending or in flight without a break; null if an earlier version made it so.
    pub(crate) queued_at: Option<i64>,
    pub(crate) due_at: i64,
    pub(crate) attempts: i32,
    pub(crate) lease: Option<String>,
    pub(crate) lease_until: Option<i64>,
    pub(crate) remote_id: Option<String>,
    /// It stands for a remote record that another item writes.
    pub(crate) linked: bool,
    pub(crate) digest: Option<String>,
    pub(crate) synced_at: Option<i64>,
    pub(crate) waits_kind: Option<String>,
    pub(crate) waits_id: Option<i64>,
    pub(crate) code: Option<String>,
    pub(crate) reason: Option<String>,
    /// JSON; null when nothing was left out.
    pub(crate) remarks: Option<String>,
    /// Of what the mapping reads of it for other records.
    pub(crate) read_digest: Option<String>,
    /// When what is written of it changes by itself.
    pub(crate) judge_at: Option<i64>,
    /// When the destination changed the remote record by our last write, by its clock.
    pub(crate) remote_modified_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
