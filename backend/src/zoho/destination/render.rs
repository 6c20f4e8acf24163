//! The last step of a decision: what is written, by what fits Zoho's fields, and whether Zoho has it already.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    batch::Facts,
    decide::Decider,
    decision::{Decision, Intent, Judgement, Leaves, Purpose, WriteTarget},
    trail::Trail,
};
use crate::{
    model::{ErasurePolicy, Kind},
    store::Claimed,
    zoho::{
        mapping::{RenderError, Rendered, Write},
        metadata::Module,
    },
};

impl Decider<'_> {
    /// What to do about an item. `trail` gets what was asked on the way.
    pub(super) fn decide(&self, item: &Claimed, metadata: &Module, trail: &mut impl Trail) -> Decision {
        match self.judge(item, trail) {
            Judgement::Made(decision) => decision,
            Judgement::Render(intent) => self.settle(item, intent, metadata),
        }
    }

    /// The decision by the values.
    pub(super) fn settle(&self, item: &Claimed, intent: Intent, metadata: &Module) -> Decision {
        self.render(item, intent, metadata).unwrap_or_else(|error| fail(&error))
    }

    fn render(&self, item: &Claimed, intent: Intent, metadata: &Module) -> Result<Decision, RenderError> {
        let Intent { purpose, remote_id, tried } = intent;
        // Whatever was judged is known.
        let Some(facts) = self.batch.facts(item.key) else { return Ok(Decision::Same(Vec::new())) };
        let (Rendered { fields: body, remarks }, digest) = self.rendered(item, &facts, purpose, metadata)?;
        // What was removed may be known by no id any more.
        let is_known = remote_id.is_some() || purpose == Purpose::Removal;
        if is_known && remote_id == item.remote_id && item.digest.as_ref() == Some(&digest) {
            return Ok(Decision::Same(remarks));
        }
        let target = WriteTarget { remote_id, body, digest, tried, remarks };
        Ok(match purpose {
            Purpose::Write => Decision::Write(target),
            Purpose::Removal => Decision::Remove(target),
            Purpose::Erasure(policy) => Decision::Erase(target, leaves(policy, item.key.kind)),
        })
    }

    fn rendered(
        &self,
        item: &Claimed,
        facts: &Facts<'_>,
        purpose: Purpose,
        metadata: &Module,
    ) -> Result<(Rendered, String), RenderError> {
        let subject = self.batch.subject(item.key, facts);
        let (what, rendered) = match purpose {
            Purpose::Write => ("written", self.module.render(&subject, Write::Update, metadata)?),
            Purpose::Removal => ("removed", without_remarks(self.module.render_deleted(&subject, metadata)?)),
            Purpose::Erasure(_) => ("erased", without_remarks(self.module.render_erased(&subject, metadata)?)),
        };
        let digest = digest(&self.module.module, what, &rendered.fields);
        Ok((rendered, digest))
    }

    /// What an item's record in Zoho should have, with its digest; `None` if nothing is delivered of it.
    pub(super) fn expected(&self, item: &Claimed, metadata: &Module) -> Option<(Map<String, Value>, String)> {
        let Judgement::Render(Intent { purpose, remote_id, .. }) = self.judge(item, &mut ()) else { return None };
        if remote_id != item.remote_id || matches!(purpose, Purpose::Erasure(_)) {
            return None;
        }
        let facts = self.batch.facts(item.key)?;
        let (Rendered { fields, .. }, digest) = self.rendered(item, &facts, purpose, metadata).ok()?;
        Some((fields, digest))
    }
}

/// What remains of a record under a policy. Enrolments, grades and completions are entirely ours, so they go.
pub(super) fn leaves(policy: ErasurePolicy, kind: Kind) -> Leaves {
    if policy == ErasurePolicy::Anonymise && kind == Kind::User { Leaves::Record } else { Leaves::Nothing }
}

fn without_remarks(fields: Map<String, Value>) -> Rendered {
    Rendered { fields, remarks: Vec::new() }
}

fn fail(error: &RenderError) -> Decision {
    let code = if error.is_configuration() { "mapping" } else { "invalid_value" };
    Decision::Fail { reason: (code.to_owned(), format!("{error}. {}", error.advice())) }
}

/// The digest of what is written: equal digests mean equal content.
fn digest(module: &str, what: &str, body: &Map<String, Value>) -> String {
    let mut hash = Sha256::new();
    for part in [module, what] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(serde_json::to_vec(body).unwrap_or_default());
    // 128 bits distinguish states well enough, and take half the space in a table of millions.
    hex::encode(&hash.finalize()[..16])
}
