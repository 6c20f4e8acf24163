//! What the steps of a delivery pass on: the batch, and each record of a call.

use serde_json::{Map, Value};

use super::{
    DeliveryBatch,
    decide::{Leaves, WriteTarget},
};
use crate::{
    model::{RecordKey, Records, Remark},
    store::Claimed,
    zoho::{mapping::ModuleMapping, metadata::Module},
};

/// The batch that is being delivered, and where.
pub(super) struct DeliveryContext<'a> {
    pub(super) batch: &'a DeliveryBatch,
    pub(super) module: &'a ModuleMapping,
    pub(super) metadata: &'a Module,
}

/// One record of a call.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) item: Claimed,
    /// Its id in Zoho, if the call addresses it by id.
    pub(super) remote_id: Option<String>,
    pub(super) body: Map<String, Value>,
    pub(super) digest: String,
    /// What was left out of the body.
    pub(super) remarks: Vec<Remark>,
    /// The attempt's outcome on success: `inserted`, `updated`, `adopted`, `removed` or `erased`.
    pub(super) outcome: &'static str,
    /// The record is gone in Moodle, or no longer delivered.
    pub(super) removes: bool,
    /// What remains of it, if the record's person is erased.
    pub(super) leaves: Option<Leaves>,
    /// An earlier attempt, whose answer is unknown, may have created it.
    pub(super) tried: bool,
    /// Deleted people who hand their contact over to this person.
    pub(super) takes_over_from: Vec<RecordKey>,
}

pub(super) fn job(item: Claimed, target: WriteTarget, outcome: &'static str, removes: bool) -> Job {
    let WriteTarget { remote_id, body, digest, tried, remarks } = target;
    Job { item, remote_id, body, digest, remarks, outcome, removes, leaves: None, tried, takes_over_from: Vec::new() }
}

/// The kind of a writing call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteCall {
    Insert,
    Update,
    Delete,
}

impl WriteCall {
    /// The records that it concerns.
    pub(super) fn records(self) -> Records {
        match self {
            Self::Insert => Records::New,
            Self::Update | Self::Delete => Records::Known,
        }
    }
}
