//! Reading the tables of a TOML file key by key, so that every mistake is found with its line.

use std::ops::Range;

use rust_decimal::Decimal as Number;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{problem::Report, rule::Constant};

/// A table that is being read. Keys that are never read count as unknown.
pub(super) struct MappingTable<'t> {
    entries: &'t DeTable<'t>,
    /// Its name in messages: `[user.fields]`, or `[user.fields] Phone` for a table within.
    pub(super) place: String,
    /// Its place in the text, to report what is missing in it.
    pub(super) span: Range<usize>,
    known: Vec<&'static str>,
}

/// A value with its key and place.
#[derive(Clone, Copy)]
pub(super) struct TableEntry<'t> {
    key: &'t str,
    value: &'t Spanned<DeValue<'t>>,
}

impl<'t> TableEntry<'t> {
    pub(super) fn span(self) -> Range<usize> {
        self.value.span()
    }

    pub(super) fn value(self) -> &'t DeValue<'t> {
        self.value.get_ref()
    }
}

impl<'t> MappingTable<'t> {
    pub(super) fn new(entries: &'t DeTable<'t>, place: String, span: Range<usize>) -> Self {
        Self { entries, place, span, known: Vec::new() }
    }

    /// Reads a nested table.
    pub(super) fn table(&mut self, report: &mut Report<'_>, key: &'static str, place: String) -> Option<Self> {
        let entry = self.get(key)?;
        match entry.value() {
            DeValue::Table(entries) => Some(Self::new(entries, place, entry.span())),
            other => {
                self.wrong(report, entry, &format!("must be a table, not {}", article(other)));
                None
            }
        }
    }

    pub(super) fn get(&mut self, key: &'static str) -> Option<TableEntry<'t>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let (key, value) = self.entries.get_key_value(key)?;
        Some(TableEntry { key: key.get_ref(), value })
    }

    /// Reports a mistake in a key's value.
    pub(super) fn wrong(&self, report: &mut Report<'_>, entry: TableEntry<'_>, reason: &str) {
        report.add(entry.span(), self.place.clone(), format!("{} {reason}", entry.key));
    }

    /// Reports a mistake in the table as a whole.
    pub(super) fn refuse(&self, report: &mut Report<'_>, reason: impl Into<String>) {
        report.add(self.span.clone(), self.place.clone(), reason);
    }

    pub(super) fn text(&mut self, report: &mut Report<'_>, key: &'static str) -> Option<&'t str> {
        let entry = self.get(key)?;
        let text = entry.value().as_str();
        if text.is_none() {
            self.wrong(report, entry, &format!("must be a text, not {}", article(entry.value())));
        }
        text
    }

    pub(super) fn flag(&mut self, report: &mut Report<'_>, key: &'static str) -> Option<bool> {
        let entry = self.get(key)?;
        let flag = entry.value().as_bool();
        if flag.is_none() {
            self.wrong(report, entry, &format!("must be true or false, not {}", article(entry.value())));
        }
        flag
    }

    pub(super) fn number(&mut self, report: &mut Report<'_>, key: &'static str, range: Range<u32>) -> Option<u32> {
        let entry = self.get(key)?;
        let number =
            entry.value().as_integer().and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong(report, entry, &format!("must be a whole number from {} to {}", range.start, range.end - 1));
        }
        number
    }

    /// Reads one text or a list of them, each with its place.
    pub(super) fn texts(&mut self, report: &mut Report<'_>, key: &'static str) -> Option<Vec<(&'t str, Range<usize>)>> {
        let entry = self.get(key)?;
        self.texts_of(report, entry)
    }

    /// Reads an entry's text or list of texts, each with its place.
    pub(super) fn texts_of(
        &self,
        report: &mut Report<'_>,
        entry: TableEntry<'t>,
    ) -> Option<Vec<(&'t str, Range<usize>)>> {
        match entry.value() {
            DeValue::String(text) => Some(vec![(text, entry.span())]),
            DeValue::Array(items) => {
                let mut texts = Vec::new();
                for item in items.iter() {
                    match item.get_ref() {
                        DeValue::String(text) => texts.push((text.as_ref(), item.span())),
                        other => {
                            let reason = format!("{} must hold texts, not {}", entry.key, article(other));
                            report.add(item.span(), self.place.clone(), reason);
                        }
                    }
                }
                Some(texts)
            }
            other => {
                self.wrong(report, entry, &format!("must be a text or a list of texts, not {}", article(other)));
                None
            }
        }
    }

    /// Reads one of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let entry = self.get(key)?;
        let found = words.iter().find(|(word, _)| entry.value().as_str() == Some(word));
        if found.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.wrong(report, entry, &format!("must be one of {}", words.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// The entries of a table whose keys are names, in file order.
    pub(super) fn entries(&self) -> Vec<(&'t str, TableEntry<'t>, Range<usize>)> {
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), TableEntry { key: key.get_ref(), value }, key.span()))
            .collect();
        entries.sort_by_key(|(_, _, span)| span.start);
        entries
    }

    /// Reports every key that was not read as unknown.
    pub(super) fn finish(self, report: &mut Report<'_>) {
        for (key, _, span) in self.entries() {
            if !self.known.contains(&key) {
                let reason = format!("{key} is unknown; known are {}", self.known.join(", "));
                report.add(span, self.place.clone(), reason);
            }
        }
    }
}

/// Reads a constant.
pub(super) fn constant(value: &DeValue<'_>) -> Option<Constant> {
    match value {
        DeValue::String(text) => Some(Constant::Text(text.clone().into_owned())),
        DeValue::Boolean(flag) => Some(Constant::Bool(*flag)),
        other => number(other).map(Constant::Number),
    }
}

/// Reads a number exactly.
pub(super) fn number(value: &DeValue<'_>) -> Option<Number> {
    match value {
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(Number::from),
        DeValue::Float(float) => {
            let text = float.as_str().trim_start_matches('+');
            Number::from_str_exact(text).or_else(|_| Number::from_scientific(text)).ok()
        }
        _ => None,
    }
}

/// The type of a value, for messages.
pub(super) fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
