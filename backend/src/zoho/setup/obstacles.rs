//! What cannot be created, said before the first write, with what to do.

use super::{
    NewField, SetupStep, Survey,
    check::{Severity, check},
    edition::{Limits, UNIQUE_FIELDS, limits},
    plan,
};
use crate::zoho::{
    client::MODULE_CREDITS,
    mapping::{Mapping, OnDelete},
    metadata::ModuleField,
};

/// Why the organisation cannot have what the mapping needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The module, or its field as `Module.Field`.
    pub place: String,
    /// What is in the way.
    pub problem: String,
    /// What to do.
    pub advice: String,
}

/// Everything that is in the way of the setup. `credits` are those that are left, if known.
pub fn obstacles(mapping: &Mapping, survey: &Survey, credits: Option<i64>) -> Vec<Obstacle> {
    let steps = plan(mapping, &survey.modules);
    let edition = survey.organisation.edition.as_deref();
    let finder = Finder { mapping, survey, edition: edition.unwrap_or("present"), limits: limits(edition) };
    let mut found = finder.modules(&steps, credits);
    let mut names: Vec<&str> = mapping.modules().map(|(_, module)| module.module.as_str()).collect();
    names.dedup();
    for name in names {
        let of_module = steps.iter().filter(|step| step.module() == name);
        let new: Vec<&NewField> = of_module.flat_map(SetupStep::fields).collect();
        found.extend(finder.room(name, &new));
        found.extend(finder.unique(name, &new));
        found.extend(new.iter().filter_map(|field| finder.label(name, field)));
    }
    let findings = check(mapping, &survey.modules).into_iter();
    let beyond_setup = findings.filter(|finding| finding.severity == Severity::Error && !finding.setup_can_fix);
    found.extend(beyond_setup.map(|finding| Obstacle {
        place: finding.field.map_or(finding.module.clone(), |field| format!("{}.{field}", finding.module)),
        problem: finding.problem,
        advice: finding.advice,
    }));
    found
}

struct Finder<'a> {
    mapping: &'a Mapping,
    survey: &'a Survey,
    edition: &'a str,
    limits: Limits,
}

impl Finder<'_> {
    /// Whether modules can be created, by edition, names and credits.
    fn modules(&self, steps: &[SetupStep], credits: Option<i64>) -> Vec<Obstacle> {
        let new: Vec<_> = steps.iter().filter_map(SetupStep::new_module).collect();
        let mut found = Vec::new();
        if new.is_empty() {
            return found;
        }
        let names = new.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let made = self.survey.listed.iter().filter(|module| module.custom).count();
        if let Some(limit) = self.limits.new_modules.filter(|limit| made + new.len() > *limit) {
            let problem = match limit {
                0 => format!(
                    "The {} edition lets no program create modules; Enterprise and larger editions do.",
                    self.edition
                ),
                _ => format!(
                    "The {} edition allows {limit} custom modules, {} are free, and the mapping needs {}.",
                    self.edition,
                    limit.saturating_sub(made),
                    new.len()
                ),
            };
            found.push(Obstacle { place: names.clone(), problem, advice: self.without_modules(&new) });
        }
        let price = i64::from(MODULE_CREDITS) * new.len() as i64;
        if let Some(left) = credits.filter(|left| *left < price) {
            found.push(Obstacle {
                place: names,
                problem: format!("To create the modules costs {price} API credits, and {left} are left."),
                advice: "Wait: each credit comes back 24 hours after its use.".to_owned(),
            });
        }
        for (name, labels) in &new {
            let taken = |label: &String| [&labels.singular, &labels.plural].contains(&label);
            let other =
                self.survey.listed.iter().find(|other| other.api_name == *name || other.labels.iter().any(taken));
            found.extend(other.map(|other| Obstacle {
                place: (*name).to_owned(),
                problem: format!(
                    "The module {} ({}) has its name or label.",
                    other.api_name,
                    other.status.replace('_', " ")
                ),
                advice: "Show or rename that one in Zoho, or give the mapping's module other labels.".to_owned(),
            }));
        }
        found
    }

    /// How to do without creating modules.
    fn without_modules(&self, new: &[(&str, &super::Labels)]) -> String {
        let tables = self.mapping.modules().filter(|(_, module)| new.iter().any(|(name, _)| *name == module.module));
        let tables: Vec<_> = tables.map(|(kind, _)| format!("[{kind}]")).collect();
        format!(
            "Leave {} out of the mapping file: a smaller mapping, which delivers the other kinds of records. Or create the modules by \
             hand in Zoho's settings, with these API names.",
            tables.join(" and ")
        )
    }

    /// Whether the module has room for the new fields.
    fn room(&self, module: &str, new: &[&NewField]) -> Option<Obstacle> {
        let limit = self.limits.custom_fields?;
        let used = self.fields(module).filter(|field| field.custom).count();
        let (free, needed) = (limit.saturating_sub(used), new.len());
        if needed <= free {
            return None;
        }
        let problem = format!(
            "The {} edition allows {limit} custom fields in a module, {free} are free, and the mapping needs {needed}.",
            self.edition
        );
        let advice = smaller(&savings(self.mapping, module, new), needed, free);
        Some(Obstacle { place: module.to_owned(), problem, advice })
    }

    /// Whether the module has room for new unique fields.
    fn unique(&self, module: &str, new: &[&NewField]) -> Option<Obstacle> {
        let needed = new.iter().filter(|field| field.expected.unique).count();
        let taken: Vec<&str> =
            self.fields(module).filter(|field| field.unique).map(|field| field.api_name.as_str()).collect();
        (needed > 0 && taken.len() + needed > UNIQUE_FIELDS).then(|| Obstacle {
            place: module.to_owned(),
            problem: format!(
                "Zoho allows {UNIQUE_FIELDS} unique fields in a module; {} are, and the mapping needs {needed} for its key.",
                taken.join(" and ")
            ),
            advice: "In the properties of one of them in Zoho, untick \"Do not allow duplicate values\". Or, if your Zoho allows more \
                     by now, create the key there by hand, as a unique text field."
                .to_owned(),
        })
    }

    /// Whether another field has the label of a new one.
    fn label(&self, module: &str, new: &NewField) -> Option<Obstacle> {
        let other = self.fields(module).find(|field| field.field_label.eq_ignore_ascii_case(&new.label))?;
        Some(Obstacle {
            place: format!("{module}.{}", new.expected.name),
            problem: format!("The field {} has the label \"{}\" already.", other.api_name, other.field_label),
            advice: format!("Rename that one in Zoho, or use {} in the mapping file instead.", other.api_name),
        })
    }

    fn fields(&self, module: &str) -> impl Iterator<Item = &ModuleField> {
        let module = self.survey.modules.get(module).and_then(Option::as_ref);
        module.into_iter().flat_map(|module| module.fields.values())
    }
}

/// What a mapping can do without.
struct Saving {
    what: String,
    /// The custom fields that it takes in the module.
    fields: usize,
}

/// The smaller mappings for which there is room.
fn smaller(savings: &[Saving], needed: usize, free: usize) -> String {
    let (tables, fields): (Vec<_>, Vec<_>) = savings.iter().partition(|saving| saving.fields > 1);
    let fewest: Vec<_> = tables.iter().chain(&fields).copied().collect();
    let mut ways: Vec<String> = [fewest, fields].iter().filter_map(|way| leave_out(way, needed, free)).collect();
    ways.dedup();
    if ways.is_empty() {
        let least = needed.saturating_sub(savings.iter().map(|saving| saving.fields).sum());
        return format!(
            "The smallest mapping needs {least}. Delete custom fields of the module in Zoho (unused ones count, too), or choose a larger \
             edition."
        );
    }
    let ways = ways.join(". Or one field after the other: ");
    format!("A smaller mapping fits: leave out {ways}. Or delete custom fields of the module in Zoho.")
}

/// What to leave out, in this order, until what is needed is free. `None` if it is not enough.
fn leave_out(savings: &[&Saving], needed: usize, free: usize) -> Option<String> {
    let (mut left, mut words) = (needed, Vec::new());
    for saving in savings {
        if left <= free {
            break;
        }
        left -= saving.fields;
        words.push(format!("{} (then it needs {left})", saving.what));
    }
    (left <= free).then(|| words.join(", "))
}

/// What the mapping can do without in a module, the least missed first: what shows how the delivery went, then one
/// field after the other from the end of the file, then what connects records.
fn savings(mapping: &Mapping, module: &str, new: &[&NewField]) -> Vec<Saving> {
    let is_new = |name: &str| new.iter().any(|field| field.expected.name == name);
    let mut savings = Vec::new();
    let tracking = mapping.tracking().map_or(0, |tracking| tracking.fields().filter(|name| is_new(name)).count());
    if tracking > 0 {
        savings.push(Saving { what: "the fields of [tracking], with enabled = false".to_owned(), fields: tracking });
    }
    for (kind, table) in mapping.modules().filter(|(_, table)| table.module == module) {
        let optional = table
            .rules
            .iter()
            .rev()
            .filter(|rule| is_new(&rule.field) && !table.matches.iter().any(|of| of.value_of == rule.field));
        let (lookups, values): (Vec<_>, Vec<_>) = optional.partition(|rule| rule.lookup().is_some());
        savings.extend(values.into_iter().chain(lookups).map(|rule| {
            let marks = table.on_delete != OnDelete::Keep && table.deleted.iter().any(|(name, _)| *name == rule.field);
            let also = if marks { format!(" and of [{kind}.deleted]") } else { String::new() };
            Saving { what: format!("{} of [{kind}.fields]{also}", rule.field), fields: 1 }
        }));
    }
    savings
}
