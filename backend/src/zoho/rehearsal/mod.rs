//! A rehearsal of the delivery: one made-up record per module is written, read back, changed, found and deleted, and
//! each field compared with what was sent.
//!
//! The records are rendered as in the delivery, are inserted (never upserted, so that they cannot meet a real record),
//! and trigger nothing. They are recognised by their key; what an interrupted rehearsal left behind is deleted by the
//! next one.

mod sample;

use std::{collections::BTreeMap, time::Duration};

use chrono_tz::Tz;
use serde_json::{Map, Value};

use self::sample::{SITE, Sample};
use super::{
    client::{CallError, Client, RecordAnswer},
    difference::differences,
    mapping::{Mapping, ModuleMapping, OnDelete, Write},
    metadata::Module,
};
use crate::{clock::Clock, model::Kind};

/// The most fields in one reading call; Zoho's limit, less the id.
const FIELDS: usize = 49;

/// How often a record is looked for, and the pause between: Zoho finds what was written some seconds later.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_secs(3);

/// A result of the rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub weight: Weight,
    /// The module, or its field as `Module.Field`.
    pub place: String,
    /// What was found, and what to do. Without values.
    pub text: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// As it should be.
    Good,
    /// To be known.
    Note,
    /// The delivery would fail, or lose a value.
    Bad,
}

/// Rehearses the delivery by this mapping to these modules. `pause` waits.
pub async fn rehearse<W: Future<Output = ()>>(
    client: &Client,
    mapping: &Mapping,
    modules: &BTreeMap<String, Option<Module>>,
    clock: &Clock,
    pause: impl Fn(Duration) -> W,
) -> Vec<Finding> {
    let sample = Sample::new(mapping.time_zone().unwrap_or(Tz::UTC));
    let mut rehearsal =
        Rehearsal { client, mapping, clock, made: Vec::new(), unsure: Vec::new(), findings: Vec::new() };
    let stages = mapping.modules().filter_map(|(kind, table)| {
        let metadata = modules.get(&table.module)?.as_ref()?;
        Some(Stage { kind, table, metadata })
    });
    let stages: Vec<_> = stages.collect();
    for stage in &stages {
        rehearsal.write(&sample, stage).await;
    }
    // When most of the records can be found already.
    for stage in &stages {
        rehearsal.find(stage, &pause).await;
    }
    for stage in &stages {
        rehearsal.mark_as_gone(&sample, stage).await;
    }
    rehearsal.sum_up(&stages);
    rehearsal.clean_up().await;
    rehearsal.findings
}

/// A module, while it is tried.
struct Stage<'a> {
    kind: Kind,
    table: &'a ModuleMapping,
    metadata: &'a Module,
}

/// A record that was made.
struct Made {
    kind: Kind,
    module: String,
    id: String,
    /// What was sent.
    body: Map<String, Value>,
}

struct Rehearsal<'a> {
    client: &'a Client,
    mapping: &'a Mapping,
    clock: &'a Clock,
    made: Vec<Made>,
    /// Modules in which a record may have been made, with the field of its key and the key.
    unsure: Vec<(String, String, String)>,
    findings: Vec<Finding>,
}

impl Rehearsal<'_> {
    fn tell(&mut self, weight: Weight, place: impl Into<String>, text: impl Into<String>) {
        self.findings.push(Finding { weight, place: place.into(), text: text.into() });
    }

    fn id_of(&self, kind: Kind) -> Option<&str> {
        self.made.iter().find(|made| made.kind == kind).map(|made| made.id.as_str())
    }

    /// Writes, reads back and changes a record of the module.
    async fn write(&mut self, sample: &Sample, stage: &Stage<'_>) {
        let name = &stage.table.module;
        let (user, course) = (self.id_of(Kind::User).map(str::to_owned), self.id_of(Kind::Course).map(str::to_owned));
        if (stage.table.needs_user() && user.is_none()) || (stage.table.needs_course() && course.is_none()) {
            self.tell(Weight::Bad, name, "Not tried, because a record that it refers to could not be created.");
            return;
        }
        let subject = sample.subject(stage.kind, user.as_deref(), course.as_deref());
        let rendered = stage.table.render(&subject, Write::Create, stage.metadata);
        let changed = stage.table.render(&subject, Write::Update, stage.metadata);
        let (mut body, mut changed) = match (rendered, changed) {
            (Ok(new), Ok(changed)) => {
                for remark in new.remarks {
                    self.tell(Weight::Bad, format!("{name}.{}", remark.field), format!("Left out: {}", remark.message));
                }
                (new.fields, changed.fields)
            }
            (Err(error), _) | (_, Err(error)) => {
                self.tell(Weight::Bad, name, format!("A made-up record does not fit: {error}. {}", error.advice()));
                return;
            }
        };
        if let Some(tracking) = self.mapping.tracking() {
            let fields = tracking.success(self.clock.now(), Some(self.clock.now().0.div_euclid(1_000)));
            body.extend(fields.clone());
            changed.extend(fields);
        }
        let Some(id) = self.insert(stage, &body).await else { return };
        self.made.push(Made { kind: stage.kind, module: name.clone(), id: id.clone(), body: body.clone() });
        self.compare(stage, &id, body).await;
        self.change(stage, &id, changed, "changed").await;
    }

    /// Writes what is written when a record is gone in Moodle.
    async fn mark_as_gone(&mut self, sample: &Sample, stage: &Stage<'_>) {
        let Some(id) = self.id_of(stage.kind).map(str::to_owned) else { return };
        let subject = sample.subject(stage.kind, None, None);
        match stage.table.render_deleted(&subject, stage.metadata) {
            Ok(gone) if matches!(stage.table.on_delete, OnDelete::Mark | OnDelete::Blank) && gone.len() > 1 => {
                self.change(stage, &id, gone, "marked as gone").await;
            }
            Ok(_) => {}
            Err(error) => {
                let text = format!("A record that is gone does not fit: {error}. {}", error.advice());
                self.tell(Weight::Bad, &stage.table.module, text);
            }
        }
    }

    /// Says of which modules nothing bad was found.
    fn sum_up(&mut self, stages: &[Stage<'_>]) {
        for stage in stages {
            let name = &stage.table.module;
            let is_of = |place: &str| {
                place.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            if !self.findings.iter().any(|finding| finding.weight == Weight::Bad && is_of(&finding.place)) {
                self.tell(Weight::Good, name, "A record was created, read back, changed and looked for.");
            }
        }
    }

    /// Inserts the record and returns its id.
    async fn insert(&mut self, stage: &Stage<'_>, body: &Map<String, Value>) -> Option<String> {
        let (name, key) = (&stage.table.module, &stage.table.key);
        let mark = body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        match self.client.find_equal(name, key, std::slice::from_ref(&mark), &[]).await {
            Ok(left) => self.delete_left(stage, &ids(&left.records), &mark).await,
            Err(error) => self.tell(Weight::Bad, format!("{name}.{key}"), format!("Cannot be searched by: {error}.")),
        }
        // Again, if an earlier rehearsal left a record that cannot be found yet.
        for last in [false, true] {
            match first(self.client.insert(name, std::slice::from_ref(body), &[]).await) {
                Ok(RecordAnswer::Done { id, .. }) => return Some(id),
                Ok(RecordAnswer::Refused(refusal)) => match refusal.duplicates.first().filter(|_| !last) {
                    Some(other) if self.is_ours((name, key), &other.id, &mark).await => {
                        self.delete_left(stage, std::slice::from_ref(&other.id), &mark).await;
                    }
                    _ => {
                        self.tell(
                            Weight::Bad,
                            name,
                            format!("Zoho refuses a new record: {}. {}", refusal.message, refusal.advice),
                        );
                        return None;
                    }
                },
                Err(error) => {
                    if matches!(error, CallError::Unknown { .. }) {
                        self.unsure.push((name.clone(), key.clone(), mark));
                    }
                    self.tell(Weight::Bad, name, format!("No record can be created: {error}."));
                    return None;
                }
            }
        }
        None
    }

    /// Whether the record with this id is one of a rehearsal: only its own key says so.
    async fn is_ours(&self, (module, key): (&str, &str), id: &str, mark: &str) -> bool {
        let found = self.client.get(module, &[id.to_owned()], &[key]).await.unwrap_or_default();
        found.first().is_some_and(|record| record.get(key).and_then(Value::as_str) == Some(mark))
    }

    /// Deletes what an earlier rehearsal left behind. Found by COQL, which lags: only what has our key still.
    async fn delete_left(&mut self, stage: &Stage<'_>, ids: &[String], mark: &str) {
        let (name, key) = (&stage.table.module, &stage.table.key);
        for id in ids {
            if self.is_ours((name, key), id, mark).await
                && self.client.delete(name, std::slice::from_ref(id)).await.is_ok_and(|entries| all_done(&entries))
            {
                self.tell(Weight::Note, name, "A record that an earlier check left behind was deleted.");
            }
        }
    }

    /// Updates the record by its id, and compares again.
    async fn change(&mut self, stage: &Stage<'_>, id: &str, body: Map<String, Value>, what: &str) {
        let mut named = body.clone();
        named.insert("id".to_owned(), id.into());
        let name = &stage.table.module;
        match first(self.client.update(name, &[named], &[]).await) {
            Ok(RecordAnswer::Done { .. }) => self.compare(stage, id, body).await,
            Ok(RecordAnswer::Refused(refusal)) => {
                let text = format!("Zoho refuses that the record is {what}: {}. {}", refusal.message, refusal.advice);
                self.tell(Weight::Bad, name, text);
            }
            Err(error) => self.tell(Weight::Bad, name, format!("The record cannot be {what}: {error}.")),
        }
    }

    /// Reads the record back and tells which fields differ from what was sent. Each field once.
    async fn compare(&mut self, stage: &Stage<'_>, id: &str, sent: Map<String, Value>) {
        let name = &stage.table.module;
        let (mut held, fields) = (Map::new(), sent.keys().map(String::as_str).collect::<Vec<_>>());
        for fields in fields.chunks(FIELDS) {
            match self.client.get(name, &[id.to_owned()], fields).await {
                Ok(found) if found.is_empty() => {
                    self.tell(Weight::Bad, name, "Zoho does not show the record that it has just written.");
                    return;
                }
                Ok(found) => held.extend(found.into_iter().flatten()),
                Err(error) => {
                    self.tell(Weight::Bad, name, format!("The record cannot be read: {error}."));
                    return;
                }
            }
        }
        for difference in differences(Some(&held), sent, stage.metadata) {
            let (ignored, is_key) = (difference.before.is_null(), difference.field == stage.table.key);
            let place = format!("{name}.{}", difference.field);
            if self.findings.iter().any(|finding| finding.place == place) {
                continue;
            }
            let advice = "Let the connection's user write the field (profile, layout and field settings), or remove it from the mapping file.";
            match (ignored, is_key) {
                (true, _) => {
                    self.tell(Weight::Bad, place, format!("Zoho ignores the value, without an error. {advice}"))
                }
                (false, true) => {
                    self.tell(Weight::Bad, place, "Zoho changes the key, so the record would not be found again.")
                }
                (false, false) => {
                    self.tell(Weight::Note, place, "Zoho changes the value: it holds another than was sent.")
                }
            }
        }
    }

    /// Looks for the record by its key, as well as by the field by which people are recognised.
    async fn find<W: Future<Output = ()>>(&mut self, stage: &Stage<'_>, pause: impl Fn(Duration) -> W) {
        let Some(made) = self.made.iter().find(|made| made.kind == stage.kind) else { return };
        let (id, body, table) = (made.id.clone(), made.body.clone(), stage.table);
        for field in std::iter::once(&table.key).chain(table.matches.iter().map(|field| &field.field)) {
            let Some(value) = body.get(field).and_then(Value::as_str).map(str::to_owned) else { continue };
            let place = format!("{}.{field}", table.module);
            let mut look = 0;
            let found = loop {
                look += 1;
                match self.client.find_equal(&table.module, field, std::slice::from_ref(&value), &[]).await {
                    Ok(found) if !found.refused.is_empty() => {
                        self.tell(Weight::Bad, &place, "Cannot be searched by: Zoho refuses the value.");
                        break None;
                    }
                    Ok(found) if ids(&found.records).contains(&id) => break Some(true),
                    Ok(_) if look == LOOKS => break Some(false),
                    Ok(_) => pause(PAUSE).await,
                    Err(error) => {
                        self.tell(Weight::Bad, &place, format!("Cannot be searched by: {error}."));
                        break None;
                    }
                }
            };
            if found == Some(false) {
                let seconds = PAUSE.as_secs() * u64::from(LOOKS - 1);
                self.tell(Weight::Note, place, format!("The record was not found by it within {seconds} seconds."));
            }
        }
    }

    /// Finds the records of which it is unknown whether they were made.
    async fn find_unsure(&mut self) {
        for (module, key, mark) in std::mem::take(&mut self.unsure) {
            let found =
                self.client.find_equal(&module, &key, std::slice::from_ref(&mark), &[]).await.unwrap_or_default();
            let mut ours = Vec::new();
            for id in ids(&found.records) {
                ours.extend(self.is_ours((&module, &key), &id, &mark).await.then_some(id));
            }
            if ours.is_empty() {
                let text = format!(
                    "A made-up record may have been left behind: delete the one whose {key} begins with \"{SITE}\", or run the check again."
                );
                self.tell(Weight::Bad, module.as_str(), text);
            }
            // The kind no longer matters: they are only deleted.
            let made = |id| Made { kind: Kind::User, module: module.clone(), id, body: Map::new() };
            self.made.extend(ours.into_iter().map(made));
        }
    }

    /// Deletes what was made, the records that refer to others first.
    async fn clean_up(&mut self) {
        self.find_unsure().await;
        while let Some(made) = self.made.pop() {
            let id = [made.id.clone()];
            let refused = match self.client.delete(&made.module, &id).await {
                Ok(entries) => entries.into_iter().find_map(|entry| match entry {
                    RecordAnswer::Refused(refusal) => Some(format!("{}. {}", refusal.message, refusal.advice)),
                    RecordAnswer::Done { .. } => None,
                }),
                Err(error) => Some(format!("{error}.")),
            };
            // What counts is whether it is still there.
            let gone = self.client.get(&made.module, &id, &["id"]).await.is_ok_and(|found| found.is_empty());
            if let Some(refused) = refused.filter(|_| !gone) {
                let text = format!("The made-up record {} was left behind; delete it in Zoho. {refused}", made.id);
                self.tell(Weight::Bad, made.module, text);
            } else if !gone {
                let text = format!("The made-up record {} was deleted, but Zoho still shows it.", made.id);
                self.tell(Weight::Bad, made.module, text);
            }
        }
    }
}

/// The answer for the only record of a call.
fn first(answer: Result<Vec<RecordAnswer>, CallError>) -> Result<RecordAnswer, CallError> {
    answer?.pop().ok_or_else(|| CallError::unknown(None, "Zoho's answer says nothing about the record"))
}

fn all_done(entries: &[RecordAnswer]) -> bool {
    entries.iter().all(|entry| matches!(entry, RecordAnswer::Done { .. }))
}

fn ids(records: &[Map<String, Value>]) -> Vec<String> {
    records.iter().filter_map(|record| record.get("id")?.as_str()).map(str::to_owned).collect()
}
