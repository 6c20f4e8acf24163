//! What the steps of a delivery pass on: the batch, and each record of a call.

use serde_json::{Map, Value};

use super::{
    DeliveryBatch,
    decision::{Leaves, WriteTarget},
};
use crate::{
    model::{RecordKey, Records, Remark},
    store::Claimed,
    zoho::{
        mapping::{ModuleMapping, Rendered, Write},
        metadata::Module,
    },
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
    /// A person decided about it, so the brake does not ask again.
    pub(super) decided: bool,
    /// Deleted people who hand their contact over to this person.
    pub(super) takes_over_from: Vec<RecordKey>,
}

impl Job {
    /// The same for a record that is in Zoho already, under this id: fields that are only written at creation are left
    /// out.
    pub(super) fn of_existing(self, context: &DeliveryContext<'_>, id: String, outcome: &'static str) -> Option<Self> {
        if self.removes {
            return Some(Self { remote_id: Some(id), ..self });
        }
        let facts = context.batch.facts(self.item.key)?;
        let rendered =
            context.module.render(&context.batch.subject(self.item.key, &facts), Write::Update, context.metadata);
        // Cannot fail after the creation was rendered: it has fewer fields.
        let Rendered { fields: body, remarks } =
            rendered.unwrap_or_else(|_| Rendered { fields: self.body.clone(), remarks: self.remarks.clone() });
        Some(Self { remote_id: Some(id), body, remarks, outcome, ..self })
    }
}

pub(super) fn job(item: Claimed, target: WriteTarget, outcome: &'static str, removes: bool) -> Job {
    let WriteTarget { remote_id, body, digest, tried, remarks } = target;
    let (decided, takes_over_from) = (false, Vec::new());
    Job { item, remote_id, body, digest, remarks, outcome, removes, leaves: None, tried, decided, takes_over_from }
}

/// The kind of a writing call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteCall {
    Insert,
    Update,
    Delete,
}

impl WriteCall {
    /// What fails when the call fails, in words.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Insert => "nothing can be inserted",
            Self::Update => "nothing can be changed",
            Self::Delete => "nothing can be deleted",
        }
    }

    /// The records that it concerns.
    pub(super) fn records(self) -> Records {
        match self {
            Self::Insert => Records::New,
            Self::Update | Self::Delete => Records::Known,
        }
    }
}
