//! Why one record is where it is: the decision of the delivery, made again with its reasons, and what it would write. Asks
//! Zoho nothing.

use std::sync::Arc;

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::{
    Decider, Decision, DeliveryBatch, Zoho,
    batch::Facts,
    decision::{Intent, Judgement, Purpose},
    forecast::{Writes, decided},
    plan::{Action, claimed},
    readings,
    trail::DecisionStep,
};
use crate::{
    clock::Timestamp,
    delivery::Destination,
    model::{Kind, RecordKey},
    store::{ItemRow, StoreError},
    zoho::{
        mapping::{FieldOutcome, KeptBecause, ModuleMapping, RenderError, Subject, Write},
        metadata::Module,
    },
};

/// Why a record is where it is.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    /// What the decision asked, in its order.
    pub steps: Vec<DecisionStep>,
    /// What a delivery would do now; `None` if only Zoho's fields show whether anything would be sent.
    pub action: Option<Action>,
    /// Why nothing would be sent, or why it would need a person, if so.
    pub reason: Option<String>,
    /// Whether Zoho has what would be written.
    pub is_current: bool,
    /// What must be in Zoho first.
    pub needs: Vec<RecordKey>,
    /// Whose changes judge it again, and are not among these.
    pub reads: Vec<RecordKey>,
    /// When what is written changes by itself.
    pub moment: Option<Timestamp>,
    /// What becomes of each field, if anything would be written, or is there already.
    pub fields: Vec<ExplainedField>,
    /// Whether it is known what fits Zoho's fields: this process has read them.
    pub fitted: bool,
}

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedField {
    /// The field's API name.
    pub field: String,
    /// Where its value comes from, in words; `None` for what marks a record as gone.
    pub source: Option<String>,
    /// What becomes of it.
    pub outcome: ExplainedOutcome,
}

/// What becomes of a field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum ExplainedOutcome {
    /// It is written; with a remark if not all of it fits.
    Written(Value, Option<String>),
    /// It does not fit, and is left out.
    LeftOut(String),
    /// Zoho keeps what it has, for this reason.
    Kept(&'static str),
    /// It names a record that is not in Zoho yet.
    Waits,
    /// It does not fit, so the record fails.
    Fails(String),
    /// The value before it is known what fits.
    Unfitted(Option<String>),
}

impl Zoho {
    /// Makes the decision about a record again, with its reasons.
    pub async fn explain(&self, row: &ItemRow) -> Result<Explained, StoreError> {
        let kind = row.key.kind;
        let Some(module) = self.mapping.module(kind) else {
            let reason = Some(format!("The mapping has no table for {kind} records."));
            return Ok(Explained { action: Some(Action::Nothing), reason, ..Explained::default() });
        };
        let last_read = self.last_read(module).await;
        let time_zone = last_read.as_ref().map_or(Tz::UTC, |(_, time_zone)| *time_zone);
        let metadata = last_read.as_ref().map(|(metadata, _)| &**metadata);
        let item = claimed(row);
        let moment = (time_zone, self.clock.now());
        let items = std::slice::from_ref(&item);
        let batch = DeliveryBatch::load(&self.store, &self.mapping, moment, Self::NAME, items).await?;
        let decider = Decider { mapping: &self.mapping, batch: &batch, module };
        let mut explained = Explained { fitted: metadata.is_some(), ..Explained::default() };
        let judgement = decider.judge(&item, &mut explained.steps);
        explained.fields = fields(&batch, module, row.key, &judgement, metadata);
        (explained.action, explained.reason) = match (judgement, metadata) {
            (Judgement::Render(intent), None) => (intended(row, &intent), None),
            (Judgement::Render(intent), Some(metadata)) => {
                let writes = intent.purpose == Purpose::Write;
                let decision = decider.settle(&item, intent, metadata);
                explained.is_current = writes && matches!(decision, Decision::Same(_));
                outcome(&batch, row, decision)
            }
            (Judgement::Made(decision), _) => outcome(&batch, row, decision),
        };
        if explained.action == Some(Action::Insert) && kind == Kind::User && !module.matches.is_empty() {
            explained.reason =
                Some("Zoho is searched for the person first, and may have a contact already.".to_owned());
        }
        let Some(facts) = batch.facts(row.key) else { return Ok(explained) };
        explained.needs = decider.needed(&facts).collect();
        explained.reads = self.reads(kind, &facts).filter(|key| !explained.needs.contains(key)).collect();
        explained.moment = readings::moments(&batch, module, items).first().map(|(_, moment)| *moment);
        Ok(explained)
    }

    /// A module's metadata, and the time zone of its dates, as they were last read; `None` if either is not known yet.
    async fn last_read(&self, module: &ModuleMapping) -> Option<(Arc<Module>, Tz)> {
        let metadata = self.modules.lock().await.get(&module.module).map(|(metadata, _)| Arc::clone(metadata))?;
        let of_organisation = || async { self.organisation.lock().await.as_ref()?.time_zone.as_ref()?.parse().ok() };
        let time_zone = match self.mapping.time_zone() {
            Some(time_zone) => time_zone,
            None if !module.writes_dates(&metadata) => Tz::UTC,
            None => of_organisation().await?,
        };
        Some((metadata, time_zone))
    }

    /// The records that the delivery of this one reads of.
    fn reads(&self, kind: Kind, facts: &Facts<'_>) -> impl Iterator<Item = RecordKey> {
        let reads = move |key: &RecordKey| self.mapping.readers(key.kind).any(|(reader, _)| reader == kind);
        facts.user.into_iter().chain(facts.course).filter(reads)
    }
}

/// What a decision means for the record.
fn outcome(batch: &DeliveryBatch, row: &ItemRow, decision: Decision) -> (Option<Action>, Option<String>) {
    let planned = decided(batch, row, claimed(row), decision, &mut Writes::default());
    (Some(planned.action), planned.reason)
}

/// What is intended, before it is known what fits: it may be there already, if anything was written.
fn intended(row: &ItemRow, intent: &Intent) -> Option<Action> {
    let action = match (intent.purpose, &intent.remote_id) {
        (Purpose::Write, None) => Action::Insert,
        (Purpose::Write, Some(_)) => Action::Update,
        (Purpose::Removal | Purpose::Erasure(_), _) => Action::Remove,
    };
    row.digest.is_none().then_some(action)
}

/// What becomes of each field. What waits is shown as it would be written when its turn comes.
fn fields(
    batch: &DeliveryBatch,
    module: &ModuleMapping,
    key: RecordKey,
    judgement: &Judgement,
    metadata: Option<&Module>,
) -> Vec<ExplainedField> {
    let (purpose, write) = match judgement {
        Judgement::Render(Intent { purpose, remote_id: Some(_), .. }) => (*purpose, Write::Update),
        Judgement::Render(Intent { purpose, remote_id: None, .. }) => (*purpose, Write::Create),
        Judgement::Made(Decision::Park { .. }) => (Purpose::Write, Write::Create),
        Judgement::Made(_) => return Vec::new(),
    };
    let Some(facts) = batch.facts(key) else { return Vec::new() };
    let subject = batch.subject(key, &facts);
    match (purpose, metadata) {
        (Purpose::Write, metadata) => written(module, key.kind, &subject, write, metadata),
        (Purpose::Removal, Some(metadata)) => taken_back(module.render_deleted(&subject, metadata)),
        (Purpose::Erasure(_), Some(metadata)) => taken_back(module.render_erased(&subject, metadata)),
        (_, None) => Vec::new(),
    }
}

fn written(
    module: &ModuleMapping,
    kind: Kind,
    subject: &Subject<'_>,
    write: Write,
    metadata: Option<&Module>,
) -> Vec<ExplainedField> {
    let key = Value::from(module.key_value(subject.site, subject.state));
    let outcome = ExplainedOutcome::Written(key, None);
    let key = ExplainedField { field: module.key.clone(), source: Some("key".to_owned()), outcome };
    let rules = module.rules.iter().map(|rule| {
        let source = [Some(rule.source_in_words(kind)), rule.change_in_words()];
        let is_awaited = rule.lookup().is_some() && rule.value_in_words(subject).is_none();
        let outcome = match metadata.map(|metadata| rule.render(subject, write, metadata)) {
            _ if is_awaited => ExplainedOutcome::Waits,
            None => ExplainedOutcome::Unfitted(rule.value_in_words(subject)),
            Some(Ok(FieldOutcome::Written(value, remark))) => {
                ExplainedOutcome::Written(value, remark.map(|remark| remark.message))
            }
            Some(Ok(FieldOutcome::LeftOut(remark))) => ExplainedOutcome::LeftOut(remark.message),
            Some(Ok(FieldOutcome::Kept(because))) => ExplainedOutcome::Kept(in_words(because)),
            Some(Err(error)) => ExplainedOutcome::Fails(words(&error)),
        };
        let source = source.into_iter().flatten().collect::<Vec<_>>().join("; ");
        ExplainedField { field: rule.field.clone(), source: Some(source), outcome }
    });
    std::iter::once(key).chain(rules).collect()
}

/// What marks a record as gone, or erases it.
fn taken_back(rendered: Result<Map<String, Value>, RenderError>) -> Vec<ExplainedField> {
    match rendered {
        Ok(fields) => {
            let written = |value| ExplainedOutcome::Written(value, None);
            let fields = fields.into_iter();
            fields.map(|(field, value)| ExplainedField { field, source: None, outcome: written(value) }).collect()
        }
        Err(error) => {
            let outcome = ExplainedOutcome::Fails(words(&error));
            vec![ExplainedField { field: error.field().to_owned(), source: None, outcome }]
        }
    }
}

fn words(error: &RenderError) -> String {
    format!("{error}. {}", error.advice())
}

fn in_words(because: KeptBecause) -> &'static str {
    match because {
        KeptBecause::OfZoho => "The field is Zoho's: never written.",
        KeptBecause::OnlyAtCreation => "Only written when the record is created; it is Zoho's afterwards.",
        KeptBecause::NoValue => "Moodle has no value: Zoho keeps what it has.",
    }
}
