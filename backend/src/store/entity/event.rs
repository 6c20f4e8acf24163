//! Table `events`: the event log.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) site_id: i64,
    #[sea_orm(column_name = "client_id")]
    pub(crate) idempotency_key: Option<Uuid>,
    pub(crate) event_type: String,
    pub(crate) kind: String,
    pub(crate) moodle_id: i64,
    pub(crate) userid: Option<i64>,
    pub(crate) version_time: i64,
    pub(crate) version_sequence: Option<i64>,
    pub(crate) received_at: i64,
    pub(crate) outcome: String,
    pub(crate) data: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
