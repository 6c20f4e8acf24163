//! Table `destinations`: the systems that records are delivered to.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "destinations")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) name: String,
    pub(crate) created_at: i64,
    pub(crate) pause: Option<String>,
    pub(crate) pause_reason: Option<String>,
    pub(crate) paused_at: Option<i64>,
    pub(crate) check_at: Option<i64>,
    pub(crate) slow_reason: Option<String>,
    pub(crate) done_at: Option<i64>,
    pub(crate) credits: Option<i64>,
    pub(crate) credits_at: Option<i64>,
    pub(crate) access_token: Option<String>,
    pub(crate) access_expires_at: Option<i64>,
    pub(crate) refresh_lease_until: Option<i64>,
    pub(crate) audit: Option<String>,
    pub(crate) audited_at: Option<i64>,
    /// Whether each record that existed before it has an item.
    pub(crate) complete: bool,
    /// The id of the organisation that the remote ids are from.
    pub(crate) organisation: Option<String>,
    /// Whether records there with our keys are ours, although this database did not write them.
    pub(crate) takes_over: bool,
    /// JSON: how far changes there were looked at.
    pub(crate) watch: Option<String>,
    /// JSON: how far all records were compared.
    pub(crate) proof: Option<String>,
    /// When a person asked for a comparison that has not begun.
    pub(crate) proof_wanted_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
