//! Table `sync_attempts`: every attempt to deliver a sync item.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_attempts")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    pub(crate) destination: String,
    pub(crate) site_id: i64,
    pub(crate) kind: String,
    pub(crate) moodle_id: i64,
    pub(crate) revision: i64,
    pub(crate) started_at: i64,
    pub(crate) duration_ms: i64,
    pub(crate) outcome: String,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) remote_id: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
