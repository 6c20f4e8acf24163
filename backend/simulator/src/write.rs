//! Insert, update, upsert and delete: one entry in the answer per record.

use poem::http::StatusCode;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    call::{Call, Target, WriteBody, has_value},
    check::{self, json_path},
    fault::RecordFault,
    policies,
    records::Fields,
    rules::Rule,
    schema::{Field, Module, Organisation, USER_ID, USER_NAME, id_in, read_id},
    time::{read_rfc3339, zoho_time},
};
use chrono::{DateTime, Utc};

/// The most records of one call; Zoho's limit.
pub(super) const RECORDS: usize = 100;

/// The context of a write.
pub(super) struct Writing<'a> {
    pub(super) now: DateTime<Utc>,
    /// Versions before this time are no longer needed: the search does not lag further.
    pub(super) forget: DateTime<Utc>,
    /// The status of a partially successful answer.
    pub(super) partial_status: StatusCode,
    /// Which records fail because of a fault.
    pub(super) fault: Option<&'a RecordFault>,
}

/// A written record.
pub(super) struct Written {
    pub(super) id: u64,
    action: Option<&'static str>,
    duplicate_field: Option<String>,
    message: &'static str,
    /// The rule that it is due to.
    rule: Option<Rule>,
}

/// Executes a writing call.
pub(super) fn write(
    organisation: &mut Organisation,
    call: &Call,
    body: WriteBody,
    writing: &Writing<'_>,
) -> Result<Answer, Refusal> {
    let name = call.module.as_deref().unwrap_or_default();
    let module = organisation.modules.get_mut(name).ok_or_else(Refusal::invalid_module)?;
    if matches!(call.target, Target::DeleteMany | Target::DeleteOne(_)) {
        return delete_all(module, call, writing);
    }
    let checks = read_checks(module, call, &body)?;
    for field in checks.iter().chain(unique_fields(module).iter()) {
        module.records.index(field);
    }
    if body.data.is_empty() || body.data.len() > RECORDS {
        let refusal = Refusal::of(Rule::RecordsPerCall);
        let path = "$.data";
        return Err(refusal.detail("api_name", "data").detail("json_path", path).detail("maximum_length", RECORDS));
    }
    let mut lines = Lines::default();
    lines.rules.extend(body.runs_cadences().then_some(Rule::CadencesRun));
    for (place, mut fields) in body.data.into_iter().enumerate() {
        if let Target::UpdateOne(id) = &call.target {
            fields.insert("id".to_owned(), id.as_str().into());
        }
        let fault = writing.fault.filter(|fault| fault.hits(place, |key| has_value(&fields, key)));
        let result = match (fault, &call.target) {
            (Some(_), _) => Err(Refusal::of(Rule::NotLocked)),
            (None, Target::Insert) => insert(organisation, name, fields, place, writing.now),
            (None, Target::Upsert) => upsert(organisation, name, fields, place, &checks, writing),
            (None, _) => not_modified(organisation, name, &fields, call)
                .and_then(|()| update(organisation, name, fields, place, writing)),
        };
        lines.add(organisation, name, result);
    }
    let all_well = if call.target == Target::Insert { StatusCode::CREATED } else { StatusCode::OK };
    Ok(lines.answer(all_well, writing.partial_status))
}

/// The entries of an answer.
#[derive(Default)]
struct Lines {
    lines: Vec<Value>,
    failed: usize,
    worst: Option<StatusCode>,
    rules: Vec<Rule>,
}

impl Lines {
    fn add(&mut self, organisation: &Organisation, module: &str, result: Result<Written, Refusal>) {
        match result {
            Ok(written) => {
                self.lines.push(line(organisation, module, &written));
                self.rules.extend(written.rule);
            }
            Err(refusal) => self.refused(refusal),
        }
    }

    fn refused(&mut self, refusal: Refusal) {
        self.failed += 1;
        self.worst = Some(refusal.status);
        self.rules.extend(refusal.rule);
        self.lines.push(refusal.entry());
    }

    /// The answer: success, partial success (207 or 200), or failure, with its own status for one record and 202 for
    /// several.
    fn answer(self, all_well: StatusCode, partial: StatusCode) -> Answer {
        let status = match (self.failed, self.lines.len(), self.worst) {
            (0, ..) => all_well,
            (1, 1, Some(status)) => status,
            (failed, all, _) if failed == all => StatusCode::ACCEPTED,
            _ => partial,
        };
        Answer::json(status, json!({ "data": self.lines })).due_to(self.rules)
    }
}

fn line(organisation: &Organisation, module: &str, written: &Written) -> Value {
    let record = organisation.modules.get(module).and_then(|module| module.records.get(written.id));
    let user = json!({ "name": USER_NAME, "id": USER_ID });
    let mut details = json!({ "id": written.id.to_string() });
    if let (Some(record), true) = (record, written.message != DELETED) {
        details["Created_Time"] = zoho_time(record.created).into();
        details["Modified_Time"] = zoho_time(record.modified()).into();
        details["Created_By"] = user.clone();
        details["Modified_By"] = user;
        details["$approval_state"] = "approved".into();
    }
    let mut line = json!({ "code": "SUCCESS", "details": details, "message": written.message, "status": "success" });
    if let Some(action) = written.action {
        line["action"] = action.into();
        line["duplicate_field"] = written.duplicate_field.as_deref().map_or(Value::Null, Value::from);
    }
    line
}

const DELETED: &str = "record deleted";

fn delete_all(module: &mut Module, call: &Call, writing: &Writing<'_>) -> Result<Answer, Refusal> {
    let ids = call.ids();
    if ids.is_empty() {
        return Err(Refusal::of(Rule::ParameterIsThere).detail("param_name", "ids"));
    }
    if ids.len() > RECORDS {
        return Err(Refusal::of(Rule::RecordsPerCall).detail("maximum_length", RECORDS));
    }
    let mut lines = Lines::default();
    for (place, id) in ids.iter().enumerate() {
        let fault = writing.fault.filter(|fault| fault.hits(place, |key| key == *id));
        let deleted =
            fault.is_none() && read_id(id).is_some_and(|id| module.records.delete(id, writing.now, writing.forget));
        match (deleted, fault) {
            (true, _) => lines.lines.push(deleted_line(id)),
            (false, Some(_)) => lines.refused(Refusal::of(Rule::NotLocked)),
            (false, None) => {
                let refusal = Refusal::of(Rule::RecordExists);
                lines.refused(refusal.detail("id", *id).detail("resource_path_index", 0));
            }
        }
    }
    Ok(lines.answer(StatusCode::OK, writing.partial_status))
}

fn deleted_line(id: &str) -> Value {
    json!({ "code": "SUCCESS", "details": { "id": id }, "message": DELETED, "status": "success" })
}

pub(super) fn unique_fields(module: &Module) -> Vec<String> {
    module.fields.values().filter(|field| field.unique.is_some()).map(|field| field.api_name.clone()).collect()
}

/// The duplicate check fields in order: only unique fields and those that Zoho itself checks.
fn read_checks(module: &Module, call: &Call, body: &WriteBody) -> Result<Vec<String>, Refusal> {
    let defaults = module.default_checks();
    match &body.duplicate_check_fields {
        _ if call.target != Target::Upsert => Ok(Vec::new()),
        Some(named) if !named.is_empty() => {
            if let Some(place) = named.iter().position(|name| !defaults.contains(name)) {
                return Err(Refusal::of(Rule::ChecksAreUnique)
                    .detail("api_name", "duplicate_check_fields")
                    .detail("json_path", format!("$.duplicate_check_fields[{place}]")));
            }
            Ok(named.clone())
        }
        _ => Ok(defaults),
    }
}

/// Inserts a new record, if its unique fields allow it.
pub(super) fn insert(
    organisation: &mut Organisation,
    name: &str,
    fields: Fields,
    place: usize,
    now: DateTime<Utc>,
) -> Result<Written, Refusal> {
    let module = organisation.modules.get(name).ok_or_else(Refusal::invalid_module)?;
    mandatory(module, &fields, true, place)?;
    let changes = checked(organisation, module, fields, place)?;
    let kept: Fields = changes.into_iter().filter(|(_, value)| !value.is_null()).collect();
    policies::admit_new(organisation, module, &kept, place)?;
    unique(module, &kept, None, place)?;
    let (id, hold) = (organisation.ids.next(), organisation.policies.hold(name));
    let module = organisation.modules.get_mut(name).ok_or_else(Refusal::invalid_module)?;
    module.records.insert(id, kept, now, hold);
    Ok(Written { id, action: None, duplicate_field: None, message: "record added", rule: None })
}

/// Updates the record with the `id` among the fields.
pub(super) fn update(
    organisation: &mut Organisation,
    name: &str,
    mut fields: Fields,
    place: usize,
    writing: &Writing<'_>,
) -> Result<Written, Refusal> {
    let Some(id) = fields.remove("id") else {
        let refusal = Refusal::of(Rule::IdIsGiven);
        return Err(refusal.detail("api_name", "id").detail("json_path", json_path(place, "id")));
    };
    let module = organisation.modules.get(name).ok_or_else(Refusal::invalid_module)?;
    let live = |id| module.records.live(id).map(|(record, before)| (id, record, before));
    let Some((id, record, before)) = id_in(&id).and_then(live) else {
        let refusal = Refusal::of(Rule::RecordExists);
        return Err(refusal.detail("api_name", "id").detail("json_path", json_path(place, "id")));
    };
    mandatory(module, &fields, false, place)?;
    let changes = checked(organisation, module, fields, place)?;
    let mut after = before.as_ref().clone();
    for (field, value) in changes {
        match value {
            Value::Null => after.remove(&field),
            value => after.insert(field, value),
        };
    }
    policies::admit_change(organisation, module, record, &after, place)?;
    unique(module, &after, Some((id, before)), place)?;
    let module = organisation.modules.get_mut(name).ok_or_else(Refusal::invalid_module)?;
    module.records.replace(id, after, writing.now, writing.forget);
    Ok(Written { id, action: None, duplicate_field: None, message: "record updated", rule: None })
}

fn upsert(
    organisation: &mut Organisation,
    name: &str,
    mut fields: Fields,
    place: usize,
    checks: &[String],
    writing: &Writing<'_>,
) -> Result<Written, Refusal> {
    let module = organisation.modules.get(name).ok_or_else(Refusal::invalid_module)?;
    let named = fields.get("id").is_some_and(|id| !id.is_null());
    // Those that are named come first.
    let unnamed = unique_fields(module).into_iter().filter(|field| !checks.contains(field));
    let mut candidates = checks.iter().cloned().chain(unnamed).filter(|_| !named);
    let hit = candidates.find_map(|field| holder(module, &field, &fields).map(|id| (field, id)));
    let (written, action) = match &hit {
        Some((_, id)) => {
            fields.insert("id".to_owned(), id.to_string().into());
            (update(organisation, name, fields, place, writing)?, "update")
        }
        None if named => (update(organisation, name, fields, place, writing)?, "update"),
        None => (insert(organisation, name, fields, place, writing.now)?, "insert"),
    };
    let duplicate_field = hit.map(|(field, _)| field);
    let unnamed = duplicate_field.as_ref().is_some_and(|field| !checks.contains(field));
    let rule = unnamed.then_some(Rule::UpsertLooksAtAllUnique);
    Ok(Written { action: Some(action), duplicate_field, rule, ..written })
}

/// The oldest record with the same value in this field.
fn holder(module: &Module, field: &str, fields: &Fields) -> Option<u64> {
    let value = fields.get(field).filter(|value| value.as_str() != Some(""))?;
    let field = module.fields.get(field)?;
    holders(module, field, value).next()
}

fn holders<'a>(module: &'a Module, field: &'a Field, value: &'a Value) -> impl Iterator<Item = u64> + 'a {
    let exact = field.unique.is_some_and(|unique| unique.case_sensitive);
    let key = super::records::index_key(value);
    let same = move |other: &Value| if exact { other == value } else { super::records::index_key(other) == key };
    let ids = module.records.candidates(&field.api_name, value);
    ids.filter(move |id| {
        module.records.live(*id).is_some_and(|(_, fields)| fields.get(&field.api_name).is_some_and(&same))
    })
}

/// The writable fields with the values to store. All others are ignored, without an error, as in Zoho.
fn checked(
    organisation: &Organisation,
    module: &Module,
    fields: Fields,
    place: usize,
) -> Result<Vec<(String, Value)>, Refusal> {
    let mut changes = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        match module.fields.get(&name) {
            Some(field) if field.is_written_by_api() => {
                let value = check::value(organisation, field, value, place)?;
                changes.push((name, value));
            }
            _ => {}
        }
    }
    Ok(changes)
}

/// Checks mandatory fields: a new record must have them, and a change must not clear them.
fn mandatory(module: &Module, fields: &Fields, new: bool, place: usize) -> Result<(), Refusal> {
    let lacks = |field: &&Field| match fields.get(&field.api_name) {
        None => new,
        Some(value) => value.is_null() || value.as_str() == Some(""),
    };
    module.fields.values().filter(|field| field.mandatory).find(lacks).map_or(Ok(()), |field| {
        Err(Refusal::of(Rule::MandatoryFields)
            .detail("api_name", field.api_name.as_str())
            .detail("json_path", json_path(place, &field.api_name)))
    })
}

/// Checks unique fields: no other record may have the same value. Several conflicts are reported together, nested.
pub(super) fn unique(
    module: &Module,
    fields: &Fields,
    own: Option<(u64, &Fields)>,
    place: usize,
) -> Result<(), Refusal> {
    let mut clashes = Vec::new();
    for field in module.fields.values().filter(|field| field.unique.is_some()) {
        let Some(value) = fields.get(&field.api_name) else { continue };
        if own.is_some_and(|(_, before)| before.get(&field.api_name) == Some(value)) {
            continue;
        }
        let own_id = own.map(|(id, _)| id);
        if let Some(other) = holders(module, field, value).find(|id| Some(*id) != own_id) {
            clashes.push(duplicate(module, field, other, place));
        }
    }
    if clashes.len() > 1 {
        let errors: Vec<Value> = clashes.iter().map(Refusal::entry).collect();
        return Err(Refusal::of(Rule::SeveralDuplicates).detail("errors", errors));
    }
    clashes.pop().map_or(Ok(()), Err)
}

/// The error about another record, of this module, that has the same value as our field.
pub(super) fn duplicate(module: &Module, field: &Field, other: u64, place: usize) -> Refusal {
    let record = json!({
        "Owner": { "name": USER_NAME, "id": USER_ID },
        "module": { "api_name": module.api_name, "id": module.id.to_string() },
        "id": other.to_string(),
    });
    Refusal::of(Rule::UniqueFields)
        .detail("api_name", field.api_name.as_str())
        .detail("json_path", json_path(place, &field.api_name))
        .detail("duplicate_record", record)
        .detail("id", other.to_string())
}

/// Checks `If-Unmodified-Since`, for calls about one record.
fn not_modified(organisation: &Organisation, name: &str, fields: &Fields, call: &Call) -> Result<(), Refusal> {
    let since = call.unmodified_since.as_deref().and_then(read_rfc3339);
    let (Some(since), Target::UpdateOne(_)) = (since, &call.target) else { return Ok(()) };
    let record = fields.get("id").and_then(id_in).and_then(|id| organisation.modules.get(name)?.records.get(id));
    // Zoho's times have no milliseconds.
    match record {
        Some(record) if record.modified().timestamp() > since.timestamp() => Err(Refusal::of(Rule::NotModifiedSince)),
        _ => Ok(()),
    }
}

/// Simulates a person on Zoho's pages: inserts a record, changes the record with that id, or deletes it if `$delete` is
/// true.
pub(super) fn by_hand(organisation: &mut Organisation, name: &str, fields: Fields, writing: &Writing<'_>) -> Answer {
    let Some(module) = organisation.modules.get_mut(name) else { return Refusal::invalid_module().flat() };
    for field in unique_fields(module) {
        module.records.index(&field);
    }
    let id = fields.get("id").and_then(Value::as_str).map(str::to_owned);
    let result = match id {
        Some(id) if fields.get("$delete") == Some(&Value::Bool(true)) => {
            let deleted = read_id(&id).filter(|id| module.records.delete(*id, writing.now, writing.forget));
            let missing = Refusal::of(Rule::RecordExists);
            deleted
                .map(|id| Written { id, action: None, duplicate_field: None, message: DELETED, rule: None })
                .ok_or(missing)
        }
        Some(_) => update(organisation, name, fields, 0, writing),
        None => insert(organisation, name, fields, 0, writing.now),
    };
    let mut lines = Lines::default();
    lines.add(organisation, name, result);
    lines.answer(StatusCode::OK, StatusCode::OK)
}
