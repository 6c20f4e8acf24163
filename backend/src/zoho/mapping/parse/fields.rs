//! Parsing the fields of one kind of record.

use std::{collections::BTreeMap, ops::Range};

use rust_decimal::Decimal as Number;
use toml::de::DeValue;

use super::{
    super::{
        Constant, FieldType, Owner, Related, Rule,
        datum::Shape,
        problem::Report,
        reader::{MappingTable, article, constant, number},
        rule::{Form, Hint, Null, Transform, ValueSource},
        source::Path,
    },
    KindContext, PARITY, owned,
};
use crate::model::Kind;

/// The most characters of a text field that can be created.
const TEXT_CHARACTERS: u32 = 50_000;

/// The most decimal places that Zoho stores.
const MOST_DECIMALS: u32 = 9;

const SOURCES: [&str; 4] = ["from", "join", "value", "lookup"];

pub(super) fn read(report: &mut Report<'_>, context: &KindContext<'_>, fields: &MappingTable<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (name, entry, span) in fields.entries() {
        let place = format!("{} {name}", fields.place);
        match entry.value() {
            DeValue::Table(inner) => {
                rules.extend(rule(report, context, name, MappingTable::new(inner, place, span)));
            }
            other => {
                let reason = format!("must be a table such as {name} = {{ from = \"...\" }}, not {}", article(other));
                report.add(span, place, reason);
            }
        }
    }
    rules
}

fn rule(report: &mut Report<'_>, context: &KindContext<'_>, name: &str, mut table: MappingTable<'_>) -> Option<Rule> {
    let source = source(report, context, &mut table);
    let transform = transform(report, &mut table);
    let owners = [("moodle", Owner::Moodle), ("zoho", Owner::Zoho), ("first", Owner::First)];
    let owner = table.word(report, "owner", &owners).unwrap_or(Owner::Moodle);
    let null = table.word(report, "null", &[("clear", Null::Clear), ("keep", Null::Keep)]).unwrap_or(Null::Clear);
    let form = Form {
        never_cut: table.word(report, "too_long", &[("cut", false), ("fail", true)]).unwrap_or(false),
        decimals: table.number(report, "decimals", 0..MOST_DECIMALS + 1),
        date_only: table.word(report, "date", &[("datetime", false), ("date", true)]).unwrap_or(false),
        ..Form::default()
    };
    let hint = Hint {
        data_type: table.word(report, "type", &FieldType::WORDS),
        length: table.number(report, "length", 1..TEXT_CHARACTERS + 1),
        values: owned(table.texts(report, "values")),
    };
    let parity = table.word(report, "parity", &PARITY);
    let (has_date, has_decimals) = (table.get("date").is_some(), form.decimals.is_some());
    let rule = source.map(|source| Rule { field: name.to_owned(), source, transform, owner, null, form, hint, parity });
    if let Some(rule) = &rule {
        check_shapes(report, &table, rule, has_date, has_decimals);
    }
    table.finish(report);
    rule.map(Rule::settle)
}

fn source(report: &mut Report<'_>, context: &KindContext<'_>, table: &mut MappingTable<'_>) -> Option<ValueSource> {
    let kind = context.kind;
    let with = table.text(report, "with");
    let given: Vec<_> = SOURCES.into_iter().filter(|key| table.get(key).is_some()).collect();
    if given.len() != 1 {
        table.refuse(report, "needs exactly one source: from, join, value or lookup");
        return None;
    }
    if with.is_some() && given != ["join"] {
        table.refuse(report, "with is only for join");
    }
    match *given.first()? {
        "from" => paths(report, kind, table, "from").map(ValueSource::First),
        "join" => {
            let parts = paths(report, kind, table, "join")?;
            Some(ValueSource::Join { parts, with: with.unwrap_or(" ").to_owned() })
        }
        "value" => {
            let entry = table.get("value")?;
            let value = constant(entry.value());
            if value.is_none() {
                table.wrong(report, entry, "must be a text, a number, true or false");
            }
            value.map(ValueSource::Constant)
        }
        _ => lookup(report, context, table).map(ValueSource::Lookup),
    }
}

fn lookup(report: &mut Report<'_>, context: &KindContext<'_>, table: &mut MappingTable<'_>) -> Option<Related> {
    let kind = context.kind;
    let entry = table.get("lookup")?;
    let related = table.word(report, "lookup", &[("user", Related::User), ("course", Related::Course)])?;
    let target = related.kind();
    if matches!(kind, Kind::User | Kind::Course) {
        let reason = format!("is for enrolments, grades and completions; a {kind} belongs to no other record");
        table.wrong(report, entry, &reason);
    } else if !context.delivered.contains(&target) {
        table.wrong(report, entry, &format!("needs a table [{target}], so that there is a {target} to point to"));
    }
    Some(related)
}

fn paths(report: &mut Report<'_>, kind: Kind, table: &mut MappingTable<'_>, key: &'static str) -> Option<Vec<Path>> {
    let names = table.texts(report, key)?;
    if names.is_empty() {
        table.refuse(report, format!("{key} is empty"));
    }
    let resolve = |(name, span): (&str, Range<usize>)| {
        let path = Path::resolve(kind, name);
        if path.is_none() {
            let reason =
                format!("{key}: {kind} records have no \"{name}\"; `backend-sync zoho mapping` lists all sources");
            report.add(span, table.place.clone(), reason);
        }
        path
    };
    // Resolve all of them, so that each unknown name is reported.
    let paths: Vec<_> = names.into_iter().map(resolve).collect();
    paths.into_iter().collect::<Option<Vec<_>>>().filter(|paths| !paths.is_empty())
}

fn transform(report: &mut Report<'_>, table: &mut MappingTable<'_>) -> Transform {
    let plain = table.flag(report, "plain") == Some(true);
    let map = map(report, table);
    let bands = bands(report, table);
    if usize::from(plain) + usize::from(map.is_some()) + usize::from(bands.is_some()) > 1 {
        table.refuse(report, "plain, map and bands exclude each other");
    }
    match (map, bands) {
        (Some(map), _) => map,
        (None, Some(bands)) => Transform::Bands(bands),
        (None, None) if plain => Transform::Plain,
        (None, None) => Transform::None,
    }
}

fn map(report: &mut Report<'_>, table: &mut MappingTable<'_>) -> Option<Transform> {
    let otherwise = table.get("otherwise").and_then(|entry| {
        let value = constant(entry.value());
        if value.is_none() {
            table.wrong(report, entry, "must be a text, a number, true or false");
        }
        value
    });
    let place = table.place.clone();
    let Some(entries) = table.table(report, "map", place.clone()) else {
        if otherwise.is_some() {
            table.refuse(report, "otherwise is only for map");
        }
        return None;
    };
    let mut words = BTreeMap::new();
    for (word, entry, span) in entries.entries() {
        match constant(entry.value()) {
            Some(value) => _ = words.insert(word.to_owned(), value),
            None => {
                report.add(span, place.clone(), format!("map: \"{word}\" must become a text, a number, true or false"))
            }
        }
    }
    if entries.entries().is_empty() {
        table.refuse(report, "map is empty");
    }
    Some(Transform::Map { words, otherwise })
}

fn bands(report: &mut Report<'_>, table: &mut MappingTable<'_>) -> Option<Vec<(Number, Constant)>> {
    let entry = table.get("bands")?;
    let DeValue::Array(items) = entry.value() else {
        table.wrong(
            report,
            entry,
            "must be a list such as [{ from = 40, to = \"Pass\" }, { from = 0, to = \"Refer\" }]",
        );
        return None;
    };
    let mut bands: Vec<(Number, Constant)> = Vec::new();
    for item in items.iter() {
        let DeValue::Table(inner) = item.get_ref() else {
            report.add(
                item.span(),
                table.place.clone(),
                "bands: each must be a table such as { from = 40, to = \"Pass\" }",
            );
            continue;
        };
        let mut band = MappingTable::new(inner, format!("{} bands", table.place), item.span());
        let from = band.get("from").and_then(|entry| number(entry.value()));
        let to = band.get("to").and_then(|entry| constant(entry.value()));
        match (from, to) {
            (Some(from), _) if bands.iter().any(|(other, _)| *other == from) => {
                band.refuse(report, format!("two bands begin at {from}"));
            }
            (Some(from), Some(to)) => bands.push((from, to)),
            _ => band.refuse(report, "needs from, a number, and to, a text, a number, true or false"),
        }
        band.finish(report);
    }
    if items.is_empty() {
        table.refuse(report, "bands is empty");
    }
    bands.sort_by_key(|(from, _)| std::cmp::Reverse(*from));
    Some(bands)
}

/// Checks that the transformations suit the type of the source.
fn check_shapes(report: &mut Report<'_>, table: &MappingTable<'_>, rule: &Rule, has_date: bool, has_decimals: bool) {
    let shapes: Vec<_> = rule.paths().iter().map(|path| path.shape()).collect();
    let are = |allowed: &[Shape]| !shapes.is_empty() && shapes.iter().all(|shape| shape.may_be(allowed));
    let joins = matches!(rule.source, ValueSource::Join { .. });
    let numbers = are(&[Shape::Integer, Shape::Decimal]) && !joins;
    match rule.transform {
        Transform::Plain if !joins && !are(&[Shape::Text]) => table.refuse(report, "plain is for texts"),
        Transform::Bands(_) if !numbers => table.refuse(report, "bands are for numbers"),
        Transform::Map { .. } if shapes.is_empty() => table.refuse(report, "map is for from and join"),
        _ => {}
    }
    if has_date && (joins || !shapes.iter().all(|shape| *shape == Shape::Time)) {
        table.refuse(report, "date is for times");
    }
    if has_decimals && !numbers {
        table.refuse(report, "decimals is for numbers");
    }
    if !rule.hint.values.is_empty() && rule.hint.data_type != Some(FieldType::Picklist) {
        table.refuse(report, "values is only for type = \"picklist\"");
    }
    if (rule.lookup().is_some()) != (rule.hint.data_type == Some(FieldType::Lookup)) && rule.hint.data_type.is_some() {
        table.refuse(report, "type \"lookup\" and lookup go together");
    }
}
