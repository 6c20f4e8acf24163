//! `/__sim/`: for tests, to inspect the state and inject faults. It needs no token and costs no credits.

use poem::http::{Method, StatusCode, Uri};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    Shared, administrator,
    answer::{Answer, Body},
    call::pairs,
    countries,
    fault::FaultRule,
    history::Source,
    log,
    people::NewProfile,
    person::{Conversion, Holding, Merge, When},
    policies::Policies,
    read::show,
    records::Fields,
    recycle_bin,
    rules::Rule,
    schema::Organisation,
    settings::Change,
    standard,
    state::State,
    time::{read_rfc3339, to_rfc3339},
    write::{self, Writing},
};
use chrono::{DateTime, Utc};

/// The path prefix of all control endpoints.
pub(super) const PREFIX: &str = "/__sim/";

/// Answers a control request.
pub(super) fn answer(shared: &Shared, method: &Method, uri: &Uri, body: &[u8]) -> Answer {
    let place = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let result = match (method.as_str(), place) {
        ("GET", "state") => Ok(shared.with(|state| {
            state.organisation.expire(shared.clock.now());
            Answer::ok(all_records(state))
        })),
        ("GET", "log") => Ok(calls(shared, uri)),
        ("DELETE", "log") => Ok(done(shared, |state| state.log.clear())),
        ("GET", "settings") => Ok(shared.with(|state| settings(state, shared.clock.now()))),
        ("POST", "settings") => change_settings(shared, body),
        ("GET", "faults") => Ok(shared.with(|state| faults(state))),
        ("POST", "faults") => parsed::<Vec<FaultRule>>(body)
            .map(|rules| Answer::ok(json!({ "ids": shared.with(|state| state.faults.add(rules)) }))),
        ("DELETE", "faults") => Ok(done(shared, |state| state.faults.clear())),
        ("GET", "rules") => Ok(shared.with(|state| rules(&state.log))),
        ("GET", "clock") => Ok(clock(shared)),
        ("POST", "clock") => set_clock(shared, body),
        ("GET", "policies") => Ok(shared.with(|state| Answer::ok(json!(state.organisation.policies)))),
        ("POST", "policies") => {
            parsed(body).map(|policies: Policies| done(shared, |state| state.organisation.set_policies(policies)))
        }
        ("POST", "merge") => parsed(body).and_then(|merge: Merge| person(shared, |all, when| merge.perform(all, when))),
        ("POST", "convert") => {
            parsed(body).and_then(|lead: Conversion| person(shared, |all, when| lead.perform(all, when)))
        }
        ("POST", "restore") => parsed(body)
            .and_then(|restored: recycle_bin::Restored| person(shared, |all, when| restored.perform(all, when))),
        ("POST", "hold") => parsed(body).and_then(|hold: Holding| person(shared, |all, _| hold.perform(all))),
        ("POST", "reset") => Ok(done(shared, State::reset)),
        ("POST", "profiles") => parsed::<NewProfile>(body).map(|profile| new_profile(shared, profile)),
        ("POST", place) if place.starts_with("fields/") => parsed(body).and_then(|change| {
            let place = place.trim_start_matches("fields/");
            administer(shared, |state| administrator::change_field(&mut state.organisation, place, &change))
        }),
        ("DELETE", place) if place.starts_with("fields/") => {
            let place = place.trim_start_matches("fields/");
            administer(shared, |state| administrator::delete_field(&mut state.organisation, place))
        }
        ("POST", place) if place.starts_with("records/") => {
            let module = place.trim_start_matches("records/");
            parsed::<Fields>(body).map(|fields| by_hand(shared, module, fields))
        }
        _ => Err("no such place in the simulator".to_owned()),
    };
    result.unwrap_or_else(|error| Answer::json(StatusCode::BAD_REQUEST, json!({ "error": error })))
}

fn done(shared: &Shared, work: impl FnOnce(&mut State)) -> Answer {
    shared.with(work);
    Answer::no_content()
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// All records by module, each with its non-empty fields.
fn all_records(state: &State) -> Value {
    let (mut modules, mut recycled) = (Map::new(), Map::new());
    for (name, module) in &state.organisation.modules {
        let records = module.records.all_live();
        let shown = records.map(|(id, record, fields)| {
            let mut shown = show(&state.organisation, module, (id, record, fields), None);
            // Most fields of most records are empty: including them would make the answer ten times as long.
            if let Value::Object(fields) = &mut shown {
                fields.retain(|_, value| !value.is_null());
            }
            shown
        });
        modules.insert(name.clone(), shown.collect());
        recycled.insert(name.clone(), module.records.recycled().into());
    }
    json!({ "modules": modules, "recycled": recycled })
}

fn calls(shared: &Shared, uri: &Uri) -> Answer {
    #[derive(serde::Serialize)]
    struct Calls {
        calls: Vec<log::Entry>,
    }
    let query = pairs(uri.query().unwrap_or_default());
    let after = query.iter().find(|(name, _)| name == "after").and_then(|(_, n)| n.parse().ok()).unwrap_or(0);
    let calls = shared.with(|state| state.log.after(after));
    // A long log is serialized directly, without a tree of values.
    let text = serde_json::to_string(&Calls { calls }).unwrap_or_default();
    Answer { status: StatusCode::OK, body: Body::Text(text), rules: Vec::new() }
}

fn settings(state: &mut State, now: DateTime<Utc>) -> Answer {
    let mut shown = json!(state.settings);
    shown["used"] = state.credits.used(now).into();
    Answer::ok(shown)
}

fn change_settings(shared: &Shared, body: &[u8]) -> Result<Answer, String> {
    let change: Change = parsed(body)?;
    let now = shared.clock.now();
    shared.with(|state| {
        let (used, revoked, before) = (change.used, change.revoked, state.settings.organisation);
        state.settings.apply(change)?;
        if state.settings.organisation != before {
            state.organisation = standard::organisation(std::mem::take(&mut state.organisation.ids));
        }
        countries::list(&mut state.organisation, state.settings.country_lists);
        if let Some(used) = used {
            state.credits.set_used(now, used);
        }
        if revoked == Some(true) {
            state.tokens.revoke();
        }
        Ok(settings(state, now))
    })
}

fn administer(shared: &Shared, work: impl FnOnce(&mut State) -> Result<(), String>) -> Result<Answer, String> {
    shared.with(work).map(|()| Answer::no_content())
}

fn new_profile(shared: &Shared, profile: NewProfile) -> Answer {
    let id = shared.with(|state| {
        let organisation = &mut state.organisation;
        organisation.profiles.add(&mut organisation.ids, profile)
    });
    Answer::ok(json!({ "id": id }))
}

fn faults(state: &State) -> Answer {
    let counts = state.faults.counts().into_iter();
    let counts = counts.map(|(id, fault, struck)| json!({ "id": id, "fault": fault, "struck": struck }));
    Answer::ok(json!({ "faults": counts.collect::<Vec<_>>() }))
}

/// The table of rules, each with the number of calls in the log that met it.
fn rules(log: &log::Log) -> Answer {
    let shown = Rule::ALL.iter().map(|rule| {
        let row = rule.row();
        let code = row.refusal.map(|(_, code, _)| code);
        json!({ "rule": rule, "says": row.says, "source": row.source, "code": code, "met": log.met(*rule) })
    });
    Answer::ok(json!({ "rules": shown.collect::<Vec<_>>() }))
}

fn clock(shared: &Shared) -> Answer {
    Answer::ok(json!({ "now": to_rfc3339(shared.clock.now()) }))
}

fn set_clock(shared: &Shared, body: &[u8]) -> Result<Answer, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Move {
        AdvanceSeconds(i64),
        Set(String),
    }
    match parsed(body)? {
        Move::AdvanceSeconds(seconds) => shared.clock.advance(seconds.saturating_mul(1_000)),
        Move::Set(time) => shared.clock.set(read_rfc3339(&time).ok_or("set is a time of RFC 3339")?),
    }
    Ok(clock(shared))
}

/// What a person does on Zoho's pages.
fn person(
    shared: &Shared,
    work: impl FnOnce(&mut Organisation, When) -> Result<Value, String>,
) -> Result<Answer, String> {
    let now = shared.clock.now();
    shared.with(|state| {
        let when = When { now, forget: state.seen(now) };
        work(&mut state.organisation, when).map(Answer::ok)
    })
}

fn by_hand(shared: &Shared, module: &str, fields: Fields) -> Answer {
    let now = shared.clock.now();
    shared.with(|state| {
        let forget = state.seen(now);
        let writing = Writing { now, forget, partial_status: StatusCode::OK, fault: None };
        let source = |organisation: &mut Organisation, source| {
            if let Some(module) = organisation.modules.get_mut(module) {
                module.records.source = source;
            }
        };
        source(&mut state.organisation, Source::Pages);
        let answer = write::by_hand(&mut state.organisation, module, fields, &writing);
        source(&mut state.organisation, Source::Api);
        answer
    })
}
