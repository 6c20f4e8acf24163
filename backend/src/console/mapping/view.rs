//! The mapping and its findings, for the template.

use crate::{
    delivery::DestinationFailure,
    model::Kind,
    views::failure_in_words,
    zoho::{
        mapping::{Mapping, ModuleMapping, OnDelete, Owner, Rule},
        setup::check::{MappingFinding, Severity},
    },
};

/// The mapping in words.
pub(super) struct MappingView {
    pub(super) modules: Vec<ModuleView>,
    /// The filters, as sentences; empty if everything is delivered.
    pub(super) only: Vec<String>,
    /// The kinds without a table in the mapping, comma-separated.
    pub(super) left_out: String,
    /// The fields in Zoho that hold the state of the delivery, comma-separated.
    pub(super) tracking: String,
    /// Whether it is the built-in mapping.
    pub(super) is_default: bool,
}

/// The module that one kind of record goes to.
pub(super) struct ModuleView {
    pub(super) kind: Kind,
    pub(super) module: String,
    pub(super) key: String,
    pub(super) matches: Vec<String>,
    pub(super) trigger: String,
    pub(super) on_delete: &'static str,
    pub(super) fields: Vec<FieldView>,
}

/// How one field gets its value.
pub(super) struct FieldView {
    pub(super) field: String,
    pub(super) source: String,
    pub(super) change: Option<String>,
    pub(super) owner: &'static str,
    pub(super) missing: &'static str,
    /// The value to write when the record is deleted in Moodle.
    pub(super) gone: Option<String>,
}

/// The result of comparing the mapping with Zoho.
pub(super) enum CheckResult {
    /// Zoho did not answer: why, and what to do.
    Unavailable(String),
    /// Mismatches; empty if the mapping fits.
    Findings(Vec<MappingFinding>),
}

impl CheckResult {
    pub(super) fn new(found: Result<Vec<MappingFinding>, DestinationFailure>) -> Self {
        match found {
            Ok(findings) => Self::Findings(findings),
            Err(failure) => Self::Unavailable(failure_in_words(failure)),
        }
    }

    /// Nothing must be fixed.
    pub(super) fn fits(&self) -> bool {
        matches!(self, Self::Findings(findings) if findings.iter().all(|finding| finding.severity != Severity::Error))
    }
}

/// The CSS class and the word for a finding's severity.
pub(super) fn severity(finding: &MappingFinding) -> (&'static str, &'static str) {
    match finding.severity {
        Severity::Error => ("bad", "must be fixed"),
        Severity::Warning => ("warn", "some records may fail"),
    }
}

impl MappingView {
    pub(super) fn new(mapping: &Mapping) -> Self {
        let left_out: Vec<_> =
            Kind::ALL.into_iter().filter(|kind| mapping.module(*kind).is_none()).map(Kind::as_str).collect();
        Self {
            modules: mapping.modules().map(|(kind, module)| ModuleView::new(kind, module)).collect(),
            only: mapping.filter().in_words(),
            left_out: left_out.join(", "),
            tracking: mapping
                .tracking()
                .map(|tracking| tracking.fields().collect::<Vec<_>>().join(", "))
                .unwrap_or_default(),
            is_default: mapping.text() == Mapping::DEFAULT,
        }
    }
}

impl ModuleView {
    fn new(kind: Kind, module: &ModuleMapping) -> Self {
        let gone = |field: &str| {
            let (_, value) = module.deleted.iter().find(|(name, _)| name == field)?;
            Some(value.as_ref().map_or_else(|| "cleared".to_owned(), ToString::to_string))
        };
        let view = |rule: &Rule| FieldView {
            field: rule.field.clone(),
            source: rule.source_in_words(kind),
            change: rule.change_in_words(),
            owner: match rule.owner {
                Owner::Moodle => "Moodle",
                Owner::Zoho => "Zoho: never written",
                Owner::First => "Moodle on creation, then Zoho",
            },
            missing: match (rule.owner, rule.clears()) {
                (Owner::Zoho, _) => "",
                (_, true) => "cleared",
                (_, false) => "left unchanged",
            },
            gone: gone(&rule.field),
        };
        let on_delete = match module.on_delete {
            OnDelete::Mark => "it is marked in Zoho: the last column says what is written",
            OnDelete::Blank => "Moodle's fields are cleared in Zoho, and the last column says what is written",
            OnDelete::Delete => "it is moved to Zoho's recycle bin",
            OnDelete::Keep => "nothing happens in Zoho",
        };
        Self {
            kind,
            module: module.module.clone(),
            key: module.key.clone(),
            matches: module.matches.iter().map(|field| field.field.clone()).collect(),
            trigger: module.trigger.join(", "),
            on_delete,
            fields: module.rules.iter().map(view).collect(),
        }
    }
}
