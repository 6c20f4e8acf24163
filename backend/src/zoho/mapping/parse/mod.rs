//! Parsing the mapping file.

mod fields;
mod module;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use toml::{Spanned, de::DeTable};

use super::{
    DeliveryFilter, Mapping, MappingError, ModuleMapping, Tracking, filter::Grades, problem::Report,
    reader::MappingTable, source::Path,
};
use crate::model::{Kind, ParityPolicy};

/// Who decides when somebody changed a field in Zoho.
const PARITY: [(&str, ParityPolicy); 2] = [("report", ParityPolicy::Report), ("restore", ParityPolicy::Restore)];

/// The longest API name in Zoho.
const NAME_CHARACTERS: usize = 50;

pub(super) fn mapping(text: &str) -> Result<Mapping, MappingError> {
    let document = document(text)?;
    let mut report = Report::new(text);
    let mut root = MappingTable::new(document.get_ref(), String::new(), 0..0);
    let filter = root.table(&mut report, "filter", "[filter]".to_owned());
    let filter = filter.map(|table| read_filter(&mut report, table)).unwrap_or_default();
    let tracking = root.table(&mut report, "tracking", "[tracking]".to_owned());
    let tracking = read_tracking(&mut report, tracking);
    let delivered: Vec<_> = Kind::ALL.into_iter().filter(|kind| root.get(kind.as_str()).is_some()).collect();
    let mut modules: BTreeMap<Kind, ModuleMapping> = BTreeMap::new();
    for kind in delivered.iter().copied() {
        let Some(table) = root.table(&mut report, kind.as_str(), format!("[{kind}]")) else { continue };
        let span = table.span.clone();
        let context = KindContext { kind, delivered: &delivered, tracking: tracking.as_ref() };
        let Some(module) = module::read(&mut report, &context, table) else { continue };
        if let Some((other, _)) =
            modules.iter().find(|(_, other)| other.module == module.module && other.key == module.key)
        {
            let reason = format!("[{other}] has the same module and key; records would overwrite each other");
            report.add(span, format!("[{kind}]"), reason);
        }
        modules.insert(kind, module);
    }
    let time_zone = read_time_zone(&mut report, &mut root);
    root.finish(&mut report);
    report.finish(Mapping { modules, filter, tracking, time_zone, text: text.to_owned() })
}

/// What the parsing of a kind's table needs to know.
struct KindContext<'a> {
    kind: Kind,
    /// The kinds that have a table.
    delivered: &'a [Kind],
    tracking: Option<&'a Tracking>,
}

/// Parses the TOML. Around a syntax error other text may be misread, so only syntax errors are reported then.
fn document(text: &str) -> Result<Spanned<DeTable<'_>>, MappingError> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut report = Report::new(text);
    for error in &errors {
        report.add(error.span().unwrap_or_default(), "", error.message().trim());
    }
    report.finish(document)
}

fn owned(texts: Option<Vec<(&str, std::ops::Range<usize>)>>) -> Vec<String> {
    texts.unwrap_or_default().into_iter().map(|(text, _)| text.trim().to_owned()).collect()
}

fn read_filter(report: &mut Report<'_>, mut table: MappingTable<'_>) -> DeliveryFilter {
    let filter = DeliveryFilter {
        roles: owned(table.texts(report, "roles")),
        courses: owned(table.texts(report, "courses")),
        categories: owned(table.texts(report, "categories")),
        only_enrolled: table.word(report, "users", &[("all", false), ("enrolled", true)]).unwrap_or(false),
        grades: table
            .word(report, "grades", &[("all", Grades::All), ("totals", Grades::Totals), ("items", Grades::Items)])
            .unwrap_or_default(),
        excluded_users: excluded_users(report, &mut table),
        excluded_values: table
            .table(report, "exclude", "[filter] exclude".to_owned())
            .map(|fields| excluded_values(report, &fields))
            .unwrap_or_default(),
    };
    table.finish(report);
    filter
}

/// Reads the keys of people who are not synchronised.
fn excluded_users(report: &mut Report<'_>, table: &mut MappingTable<'_>) -> Vec<String> {
    let keys = table.texts(report, "exclude_users");
    let is_key =
        |key: &str| key.trim().rsplit_once(':').is_some_and(|(site, id)| !site.is_empty() && id.parse::<i64>().is_ok());
    for (_, span) in keys.iter().flatten().filter(|(key, _)| !is_key(key)) {
        let reason =
            "exclude_users must hold the keys of people: the site's name and their id in Moodle, such as \"college:3\"";
        report.add(span.clone(), table.place.clone(), reason);
    }
    owned(keys)
}

/// Reads the values of people's fields that exclude them.
fn excluded_values(report: &mut Report<'_>, fields: &MappingTable<'_>) -> Vec<(String, Vec<String>)> {
    let mut excluded = Vec::new();
    for (name, entry, span) in fields.entries() {
        if !Path::resolve(Kind::User, name).is_some_and(|path| path.is_of_user()) {
            report.add(span, fields.place.clone(), format!("{name} is no field of people in Moodle"));
        }
        let values = owned(fields.texts_of(report, entry)).iter().map(|value| value.to_lowercase()).collect();
        excluded.push((name.to_owned(), values));
    }
    excluded
}

fn read_time_zone(report: &mut Report<'_>, root: &mut MappingTable<'_>) -> Option<Tz> {
    let time_zone = root.text(report, "time_zone")?.parse().ok();
    if time_zone.is_none()
        && let Some(entry) = root.get("time_zone")
    {
        root.wrong(report, entry, "is no time zone; write one such as \"Europe/Berlin\"");
    }
    time_zone
}

fn read_tracking(report: &mut Report<'_>, table: Option<MappingTable<'_>>) -> Option<Tracking> {
    let mut tracking = Tracking {
        status: "Moodle_Sync_Status".to_owned(),
        last_sync: "Moodle_Last_Sync".to_owned(),
        error: "Moodle_Sync_Error".to_owned(),
        event_time: "Moodle_Event_Time".to_owned(),
    };
    let Some(mut table) = table else { return Some(tracking) };
    let enabled = table.flag(report, "enabled").unwrap_or(true);
    for (key, name) in [
        ("status", &mut tracking.status),
        ("last_sync", &mut tracking.last_sync),
        ("error", &mut tracking.error),
        ("event_time", &mut tracking.event_time),
    ] {
        if let Some(given) = name_of(report, &mut table, key) {
            *name = given;
        }
    }
    let mut names: Vec<&str> = tracking.fields().collect();
    names.sort_unstable();
    names.dedup();
    if names.len() < tracking.fields().count() {
        table.refuse(report, "two of the tracking fields have the same name");
    }
    table.finish(report);
    enabled.then_some(tracking)
}

/// Reads the API name of a module or field.
fn name_of(report: &mut Report<'_>, table: &mut MappingTable<'_>, key: &'static str) -> Option<String> {
    let name = table.text(report, key)?;
    if is_name(name) {
        return Some(name.to_owned());
    }
    if let Some(entry) = table.get(key) {
        table.wrong(report, entry, NO_NAME);
    }
    None
}

const NO_NAME: &str = "is not an API name: at most 50 letters, digits and _, beginning with a letter";

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= NAME_CHARACTERS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Refuses invalid names, and fields that we write for other purposes.
fn check_names(report: &mut Report<'_>, context: &KindContext<'_>, key: Option<&str>, fields: &MappingTable<'_>) {
    for (name, _, span) in fields.entries() {
        let place = format!("{} {name}", fields.place);
        if !is_name(name) {
            report.add(span, place, NO_NAME);
        } else if key == Some(name) {
            report.add(span, place, "is the key and cannot be mapped again");
        } else if context.tracking.is_some_and(|tracking| tracking.fields().any(|field| field == name)) {
            report.add(span, place, "is a tracking field and cannot be mapped");
        }
    }
}
