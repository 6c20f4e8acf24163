//! Table `changes`: the change feed, one row per record.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "changes")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) site_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) moodle_id: i64,
    pub(crate) position: i64,
    pub(crate) deleted: bool,
    pub(crate) changed_at: i64,
    /// 128 bits, for which this is the type; see [`crate::model::Digest`].
    pub(crate) digest: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
