//! The mapping and what stands in its way, for the template.

use crate::{
    delivery::Trouble,
    model::Kind,
    views::trouble_in_words,
    zoho::{
        mapping::{Mapping, ModuleMapping, OnDelete, Owner, Rule},
        setup::check::{MappingFinding, Severity},
    },
};

/// The mapping in words.
pub(super) struct MappingView {
    pub(super) modules: Vec<ModuleView>,
    /// What alone is delivered; none when everything is.
    pub(super) only: Vec<String>,
    /// The kinds that are not delivered.
    pub(super) left_out: String,
    /// The fields that tell people in Zoho how the delivery went.
    pub(super) tracking: String,
    /// It is the one that the program brings along.
    pub(super) is_default: bool,
}

/// Where one kind of record goes.
pub(super) struct ModuleView {
    pub(super) kind: Kind,
    pub(super) module: String,
    pub(super) key: String,
    pub(super) matches: Option<String>,
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
    /// What is written when the record is gone in Moodle.
    pub(super) gone: Option<String>,
}

/// What the comparison with Zoho found.
pub(super) enum Checked {
    /// Zoho could not be asked: why, and what to do.
    Trouble(String),
    /// What stands in the way; nothing when all is well.
    Findings(Vec<MappingFinding>),
}

impl Checked {
    pub(super) fn new(found: Result<Vec<MappingFinding>, Trouble>) -> Self {
        match found {
            Ok(findings) => Self::Findings(findings),
            Err(trouble) => Self::Trouble(trouble_in_words(trouble)),
        }
    }
}

/// The tag of a finding: its colour and its word.
pub(super) fn severity(finding: &MappingFinding) -> (&'static str, &'static str) {
    match finding.severity {
        Severity::Error => ("bad", "must be mended"),
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
                Owner::First => "Moodle at first, then Zoho",
            },
            missing: match (rule.owner, rule.clears()) {
                (Owner::Zoho, _) => "",
                (_, true) => "cleared",
                (_, false) => "stays as it is",
            },
            gone: gone(&rule.field),
        };
        let on_delete = match module.on_delete {
            OnDelete::Mark => "it is marked: the fields are written as the last column says",
            OnDelete::Blank => "Moodle's fields are cleared, and the fields are written as the last column says",
            OnDelete::Delete => "it goes to Zoho's recycle bin",
            OnDelete::Keep => "nothing happens in Zoho",
        };
        Self {
            kind,
            module: module.module.clone(),
            key: module.key.clone(),
            matches: module.matches.clone(),
            trigger: module.trigger.join(", "),
            on_delete,
            fields: module.rules.iter().map(view).collect(),
        }
    }
}
