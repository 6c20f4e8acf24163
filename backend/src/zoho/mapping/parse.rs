//! Reads the mapping file.

mod fields;
mod module;

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::{
    Filter, Mapping, MappingError, ModuleMapping, Related, Tracking, filter::Grades, problem::Report, reader::Table,
};
use crate::model::Kind;

/// The longest API name that Zoho gives.
const NAME_CHARACTERS: usize = 50;

pub(super) fn mapping(text: &str) -> Result<Mapping, MappingError> {
    let mut report = Report::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report.add(error.span().unwrap_or_default(), "", error.message().trim());
    }
    // What stands around a mistake in the syntax may be read wrongly; saying more would only mislead.
    if !errors.is_empty() {
        return report.finish(()).and_then(|()| Err(MappingError { problems: Vec::new() }));
    }
    let mut root = Table::new(document.get_ref(), String::new(), 0..0);
    let filter = root.table(&mut report, "filter", "[filter]".to_owned());
    let filter = filter.map(|table| read_filter(&mut report, table)).unwrap_or_default();
    let tracking = root.table(&mut report, "tracking", "[tracking]".to_owned());
    let tracking = read_tracking(&mut report, tracking);
    let mut modules = BTreeMap::new();
    for kind in Kind::ALL {
        if let Some(table) = root.table(&mut report, kind.as_str(), format!("[{kind}]")) {
            let span = table.span.clone();
            if let Some(module) = module::read(&mut report, kind, table) {
                check_names(&mut report, &module, tracking.as_ref(), kind, span.clone());
                modules.insert(kind, (module, span));
            }
        }
    }
    root.finish(&mut report);
    check_together(&mut report, &modules);
    let modules = modules.into_iter().map(|(kind, (module, _))| (kind, module)).collect();
    report.finish(Mapping { modules, filter, tracking })
}

fn owned(texts: Option<Vec<(&str, std::ops::Range<usize>)>>) -> Vec<String> {
    texts.unwrap_or_default().into_iter().map(|(text, _)| text.trim().to_owned()).collect()
}

fn read_filter(report: &mut Report<'_>, mut table: Table<'_>) -> Filter {
    let filter = Filter {
        roles: owned(table.texts(report, "roles")),
        courses: owned(table.texts(report, "courses")),
        categories: owned(table.texts(report, "categories")),
        only_enrolled: table.word(report, "users", &[("all", false), ("enrolled", true)]).unwrap_or(false),
        grades: table
            .word(report, "grades", &[("all", Grades::All), ("totals", Grades::Totals), ("items", Grades::Items)])
            .unwrap_or_default(),
    };
    table.finish(report);
    filter
}

fn read_tracking(report: &mut Report<'_>, table: Option<Table<'_>>) -> Option<Tracking> {
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

/// The name of a module or a field.
fn name_of(report: &mut Report<'_>, table: &mut Table<'_>, key: &'static str) -> Option<String> {
    let name = table.text(report, key)?;
    if is_name(name) {
        return Some(name.to_owned());
    }
    if let Some(entry) = table.get(key) {
        table.wrong(report, entry, NO_NAME);
    }
    None
}

const NO_NAME: &str =
    "is not an API name: those have letters, digits and _, begin with a letter, and have at most 50 characters";

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= NAME_CHARACTERS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Fields that we write for other purposes cannot be mapped.
fn check_names(
    report: &mut Report<'_>,
    module: &ModuleMapping,
    tracking: Option<&Tracking>,
    kind: Kind,
    span: std::ops::Range<usize>,
) {
    let mapped = module.rules.iter().map(|rule| &rule.field).chain(module.deleted.iter().map(|(field, _)| field));
    for field in mapped {
        if *field == module.key {
            report.add(span.clone(), format!("[{kind}]"), format!("{field} is the key and cannot be mapped again"));
        }
        if tracking.is_some_and(|tracking| tracking.fields().any(|name| name == field)) {
            report.add(span.clone(), format!("[{kind}]"), format!("{field} is a tracking field and cannot be mapped"));
        }
    }
    if tracking.is_some_and(|tracking| tracking.fields().any(|name| name == module.key)) {
        report.add(span, format!("[{kind}]"), format!("{} is a tracking field and cannot be the key", module.key));
    }
}

/// What only the whole file shows.
fn check_together(report: &mut Report<'_>, modules: &BTreeMap<Kind, (ModuleMapping, std::ops::Range<usize>)>) {
    for (kind, (module, span)) in modules {
        for related in module.rules.iter().filter_map(|rule| rule.lookup()) {
            let target = match related {
                Related::User => Kind::User,
                Related::Course => Kind::Course,
            };
            if !modules.contains_key(&target) {
                let reason = format!("there is a lookup of the {target}, and no table [{target}] that delivers it");
                report.add(span.clone(), format!("[{kind}]"), reason);
            }
        }
        let twin =
            modules.range(..kind).find(|(_, (other, _))| other.module == module.module && other.key == module.key);
        if let Some((other, _)) = twin {
            let reason = format!("[{other}] has the same module and the same key; records would overwrite each other");
            report.add(span.clone(), format!("[{kind}]"), reason);
        }
    }
}
