//! What is decided about one item.

use serde_json::{Map, Value};

use super::outcome::Reason;
use crate::model::{ErasurePolicy, RecordKey, Remark};

/// What to do about an item.
#[derive(Debug)]
pub(super) enum Decision {
    /// Nothing: it is not delivered.
    LeftOut {
        reason: Reason,
        /// Another record whose arrival in Zoho would change this.
        waits_for: Option<RecordKey>,
    },
    /// Nothing: it is not delivered, and none of its attempts can have been.
    NeverThere { reason: Reason },
    /// Nothing, and it is not in Zoho any more: somebody deleted it there, and it stays so.
    Forgotten { reason: Reason },
    /// Nothing: Zoho has it, with these remarks and those of its last answer.
    Same(Vec<Remark>),
    /// Wait for another record.
    Park {
        waits_for: RecordKey,
        reason: Reason,
        /// The other record was filtered out, and this one may change that.
        reconsider: bool,
    },
    /// Wait a moment: another worker is delivering a record that represents the same remote record.
    Wait { reason: Reason },
    /// Another record represents the same remote record now, and must be delivered over what this one wrote.
    HandOver { to: RecordKey },
    /// It needs a person.
    Fail { reason: Reason },
    /// Insert, adopt or update it.
    Write(WriteTarget),
    /// Mark it as gone in Zoho, or delete it there.
    Remove(WriteTarget),
    /// Give the contact its values back, and have none: a person undid its adoption.
    Undo,
    /// Erase it in Zoho, because its person is erased.
    Erase(WriteTarget, Leaves),
}

/// A decision, as far as it does not depend on what fits Zoho's fields.
#[derive(Debug)]
pub(super) enum Judgement {
    /// It is made.
    Made(Decision),
    /// These values are to be rendered: if they are there already, nothing is to be done.
    Render(Intent),
}

/// What is to be rendered for a record.
#[derive(Debug)]
pub(super) struct Intent {
    pub(super) purpose: Purpose,
    /// The record's id in Zoho, if known.
    pub(super) remote_id: Option<String>,
    /// An earlier attempt, whose answer is unknown, may have created it.
    pub(super) tried: bool,
}

/// What a record's values are rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Removal,
    Erasure(ErasurePolicy),
}

/// What is written, and where.
#[derive(Debug)]
pub(super) struct WriteTarget {
    /// The record's id in Zoho, if known.
    pub(super) remote_id: Option<String>,
    /// The fields of the update or removal.
    pub(super) body: Map<String, Value>,
    pub(super) digest: String,
    /// An earlier attempt, whose answer is unknown, may have created it.
    pub(super) tried: bool,
    /// What was left out of the fields.
    pub(super) remarks: Vec<Remark>,
}

/// What remains of an erased record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// The record, without what we wrote.
    Record,
    /// Nothing.
    Nothing,
}
