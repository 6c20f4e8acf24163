//! Parsing the table of one kind of record.

use toml::de::DeValue;

use super::{
    super::{
        Adopt, Constant, Labels, MatchField, ModuleMapping, OnDelete, Owner, SameAddress,
        problem::Report,
        reader::{MappingTable, constant},
    },
    KindContext, NO_NAME, PARITY, check_names, fields, is_name, name_of, owned,
};
use crate::{
    model::{Kind, ParityPolicy},
    zoho::client::CADENCES,
};

/// The longest label of a module.
const LABEL_CHARACTERS: usize = 25;

const TRIGGERS: [&str; 6] = ["workflow", "approval", "blueprint", "pathfinder", "orchestration", CADENCES];

/// Reads the table; `None` means that problems were reported.
pub(super) fn read(
    report: &mut Report<'_>,
    context: &KindContext<'_>,
    mut table: MappingTable<'_>,
) -> Option<ModuleMapping> {
    let kind = context.kind;
    let module = required_name(report, &mut table, "module");
    let key = key(report, context, &mut table);
    let (mut names, mut match_leads) = (Vec::new(), false);
    if kind == Kind::User {
        names = names_to_match(report, &mut table);
        match_leads = table.flag(report, "match_leads").unwrap_or(false);
    }
    let (mut adopt, mut self_registration, mut same_address) = (Adopt::default(), Vec::new(), SameAddress::default());
    if kind == Kind::User {
        let words = [("always", Adopt::Always), ("trusted", Adopt::Trusted), ("never", Adopt::Never)];
        adopt = table.word(report, "adopt", &words).unwrap_or_default();
        let words = [("fail", SameAddress::Fail), ("without", SameAddress::Without)];
        same_address = table.word(report, "same_address", &words).unwrap_or_default();
        let methods = table.texts(report, "self_registration");
        self_registration = methods.map_or_else(|| vec!["email".to_owned()], |methods| owned(Some(methods)));
    }
    let trigger = triggers(report, &mut table);
    let labels = labels(report, &mut table);
    // Whoever made the module decides: Zoho's own ones are people's.
    let default = if labels.is_some() { ParityPolicy::Restore } else { ParityPolicy::Report };
    let parity = table.word(report, "parity", &PARITY).unwrap_or(default);
    let words =
        [("mark", OnDelete::Mark), ("blank", OnDelete::Blank), ("delete", OnDelete::Delete), ("keep", OnDelete::Keep)];
    let on_delete = table.word(report, "on_delete", &words).unwrap_or(OnDelete::Mark);
    let mut rules = Vec::new();
    if let Some(fields) = table.table(report, "fields", format!("[{kind}.fields]")) {
        check_names(report, context, key.as_deref(), &fields);
        rules = fields::read(report, context, &fields);
    } else if table.get("fields").is_none() {
        table.refuse(report, format!("[{kind}.fields] is missing"));
    }
    let mut deleted = Vec::new();
    if let Some(fields) = table.table(report, "deleted", format!("[{kind}.deleted]")) {
        check_names(report, context, key.as_deref(), &fields);
        deleted = when_deleted(report, &fields, on_delete);
    }
    let filled = |name: &String| rules.iter().any(|rule| rule.field == *name && rule.owner != Owner::Zoho);
    if names.first().is_some_and(|first| !filled(first))
        && let Some(entry) = table.get("match")
    {
        table.wrong(report, entry, &format!("must begin with one of [{kind}.fields] that Zoho does not own"));
    }
    if match_leads
        && names.is_empty()
        && let Some(entry) = table.get("match_leads")
    {
        table.wrong(report, entry, "needs match: it names what leads are compared by");
    }
    let matches = names.iter().zip(names.first().into_iter().cycle());
    let matches = matches.map(|(name, first)| {
        let value_of = if filled(name) { name } else { first };
        MatchField { field: name.clone(), value_of: value_of.clone() }
    });
    let matches = matches.collect();
    table.finish(report);
    Some(ModuleMapping {
        module: module?,
        key: key?,
        matches,
        match_leads,
        adopt,
        self_registration,
        same_address,
        trigger,
        parity,
        on_delete,
        labels,
        rules,
        deleted,
    })
}

fn key(report: &mut Report<'_>, context: &KindContext<'_>, table: &mut MappingTable<'_>) -> Option<String> {
    let key = required_name(report, table, "key")?;
    let is_tracking = context.tracking.is_some_and(|tracking| tracking.fields().any(|field| field == key));
    if is_tracking && let Some(entry) = table.get("key") {
        table.wrong(report, entry, "is a tracking field");
    }
    Some(key)
}

fn required_name(report: &mut Report<'_>, table: &mut MappingTable<'_>, key: &'static str) -> Option<String> {
    if table.get(key).is_none() {
        table.refuse(report, format!("{key} is missing"));
        return None;
    }
    name_of(report, table, key)
}

/// The most fields to match by: each costs a call for 50 people.
const MATCHES: usize = 3;

fn names_to_match(report: &mut Report<'_>, table: &mut MappingTable<'_>) -> Vec<String> {
    let names = table.texts(report, "match").unwrap_or_default();
    for (_, span) in names.iter().filter(|(name, _)| !is_name(name)) {
        report.add(span.clone(), table.place.clone(), format!("match {NO_NAME}"));
    }
    if let Some((_, span)) = names.get(MATCHES) {
        report.add(span.clone(), table.place.clone(), format!("match must name at most {MATCHES} fields"));
    }
    owned(Some(names))
}

fn triggers(report: &mut Report<'_>, table: &mut MappingTable<'_>) -> Vec<String> {
    let given = table.texts(report, "trigger");
    for (word, span) in given.iter().flatten() {
        if !TRIGGERS.contains(word) {
            let reason = format!("trigger may only hold {}", TRIGGERS.join(", "));
            report.add(span.clone(), table.place.clone(), reason);
        }
    }
    owned(given)
}

fn labels(report: &mut Report<'_>, table: &mut MappingTable<'_>) -> Option<Labels> {
    let (singular, plural) = (table.text(report, "singular"), table.text(report, "plural"));
    for (key, label) in [("singular", singular), ("plural", plural)] {
        let fits = |label: &str| {
            !label.trim().is_empty()
                && label.len() <= LABEL_CHARACTERS
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
        };
        if label.is_some_and(|label| !fits(label))
            && let Some(entry) = table.get(key)
        {
            table.wrong(report, entry, "must have 1 to 25 letters, digits and spaces");
        }
    }
    match (singular, plural) {
        (Some(singular), Some(plural)) => Some(Labels { singular: singular.to_owned(), plural: plural.to_owned() }),
        (None, None) => None,
        _ => {
            table.refuse(report, "singular and plural go together");
            None
        }
    }
}

/// Reads the values to write when the record is gone: constants, or `{ clear = true }`.
fn when_deleted(
    report: &mut Report<'_>,
    table: &MappingTable<'_>,
    on_delete: OnDelete,
) -> Vec<(String, Option<Constant>)> {
    if matches!(on_delete, OnDelete::Delete | OnDelete::Keep) {
        table.refuse(report, "nothing is written with on_delete = \"delete\" or \"keep\"; remove this table");
    }
    let mut fields = Vec::new();
    for (name, entry, span) in table.entries() {
        let place = format!("{} {name}", table.place);
        let value = match entry.value() {
            DeValue::Table(inner) => {
                let mut inner = MappingTable::new(inner, place.clone(), entry.span());
                let clear = inner.flag(report, "clear") == Some(true);
                inner.finish(report);
                clear.then_some(None)
            }
            other => constant(other).map(Some),
        };
        match value {
            Some(value) => fields.push((name.to_owned(), value)),
            None => report.add(span, place, "must be a text, a number, true, false or { clear = true }"),
        }
    }
    fields
}
