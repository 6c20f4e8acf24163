//! `backend-sync zoho mapping --suggest`

use std::collections::BTreeMap;

use super::client;
use crate::{
    cli::{CliError, open, print},
    clock::Clock,
    config::{self, Config},
    limits::PAGE_ROWS_MAX,
    live::read_mapping,
    model::{CustomFields, Kind},
    store::{Page, PageRequest, RecordFilter, Store, StoreError},
    zoho::{
        destination::read_modules,
        setup::suggest::{Sample, suggest},
    },
};

/// Pages of records to look at: enough to see what a field holds.
const PAGES: usize = 4;

/// Values of one field to look at.
const VALUES: usize = 200;

pub(super) async fn run(config: &Config, zoho: &config::Zoho, clock: &Clock) -> Result<(), CliError> {
    let (mapping, client) = (read_mapping(zoho)?, client(zoho, clock)?);
    let store = open(config, clock).await?;
    let samples = samples(&store).await;
    store.close().await;
    let samples = samples?;
    if samples.is_empty() {
        return print(
            "Nothing to suggest: no custom fields have arrived. Tick them in Moodle, in the settings of the plugin Backend Sync.",
        );
    }
    let modules = read_modules(&client, &mapping).await?;
    for (kind, samples) in samples {
        let Some(table) = mapping.module(kind) else { continue };
        let Some(module) = modules.get(&table.module).and_then(Option::as_ref) else {
            print(format_args!(
                "# [{kind}.fields]: there is no module {} in Zoho yet; run zoho setup first",
                table.module
            ))?;
            continue;
        };
        print(format_args!("[{kind}.fields]"))?;
        let suggestions = suggest(kind, table, mapping.tracking(), module, &samples);
        if suggestions.is_empty() {
            print("# The mapping reads all custom fields that have arrived.")?;
        }
        for suggestion in suggestions {
            print(suggestion)?;
        }
    }
    Ok(())
}

/// The custom fields that have arrived, with some of their values.
async fn samples(store: &Store) -> Result<BTreeMap<Kind, Vec<Sample>>, StoreError> {
    let (mut people, mut courses) = (Found::of("profile"), Found::of("customfields"));
    let filter = RecordFilter { deleted: Some(false), ..RecordFilter::default() };
    let (mut after, mut pages) = (None, 0);
    while pages < PAGES {
        let Page { items, next } = store.users(&filter, PageRequest { after, limit: PAGE_ROWS_MAX.into() }).await?;
        items.into_iter().for_each(|stored| people.add(stored.record.state.profile));
        (after, pages) = (next, if next.is_none() { PAGES } else { pages + 1 });
    }
    (after, pages) = (None, 0);
    while pages < PAGES {
        let Page { items, next } = store.courses(&filter, PageRequest { after, limit: PAGE_ROWS_MAX.into() }).await?;
        items.into_iter().for_each(|stored| courses.add(stored.record.state.customfields));
        (after, pages) = (next, if next.is_none() { PAGES } else { pages + 1 });
    }
    let found = [(Kind::User, people), (Kind::Course, courses)];
    Ok(found.into_iter().map(|(kind, found)| (kind, found.samples())).filter(|(_, found)| !found.is_empty()).collect())
}

/// Values by short name.
struct Found {
    object: &'static str,
    values: BTreeMap<String, Vec<String>>,
}

impl Found {
    fn of(object: &'static str) -> Self {
        Self { object, values: BTreeMap::new() }
    }

    fn add(&mut self, fields: Option<CustomFields>) {
        for (name, text) in fields.into_iter().flat_map(|fields| fields.0) {
            let values = self.values.entry(name).or_default();
            if values.len() < VALUES {
                values.push(text);
            }
        }
    }

    fn samples(self) -> Vec<Sample> {
        let object = self.object;
        let samples = self.values.into_iter();
        samples.map(|(name, values)| Sample { source: format!("{object}.{name}"), values }).collect()
    }
}
