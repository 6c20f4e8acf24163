//! The delivery to Zoho: reads records, decides, writes, and settles by Zoho's answers.

mod adopt;
mod batch;
mod brake;
mod decide;
mod decision;
mod deliver;
mod erase;
mod explain;
mod find;
mod findings;
mod forecast;
mod hold;
mod holders;
mod insert;
mod job;
mod mark;
mod merged;
mod outcome;
mod parity;
mod plan;
mod preview;
mod readings;
mod remarks;
mod render;
mod replaced;
mod reserve;
mod same_address;
mod send;
mod time_zone;
mod trail;
mod trial;
mod undo;
mod verify;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::Mutex;

use self::{batch::DeliveryBatch, decide::Decider, decision::Decision};
pub use self::{
    explain::{Explained, ExplainedField, ExplainedOutcome},
    parity::{Parity, ParityError, ParityFailure, ParitySettings},
    plan::{Action, Difference, Plan, Planned, RECORDS_PER_CREDIT},
    preview::RemotePlan,
    trail::{DecisionRule, DecisionStep, DecisionVerdict},
    undo::Restoration,
    verify::user_key,
};
use super::{
    client::{CallError, Client},
    mapping::{Mapping, ModuleMapping},
    metadata,
    setup::check::{self, MappingFinding, Severity},
};
use crate::{
    clock::{Clock, Timestamp},
    delivery::{Admission, Delivery, Destination, DestinationFailure},
    limits,
    model::{Kind, Lane, Records},
    random::Random,
    store::{BrakeLimits, Claimed, Store, StoreError, parts},
};

/// The mapping's modules with their metadata; `None` for modules that Zoho does not have.
pub type Modules = BTreeMap<String, Option<metadata::Module>>;

/// What was seen of the organisation.
struct SeenOrganisation {
    at: Timestamp,
    time_zone: Option<String>,
}

/// Zoho CRM as a destination.
pub struct Zoho {
    store: Store,
    client: Client,
    mapping: Arc<Mapping>,
    /// The metadata of modules that the mapping fits, and when it was read.
    modules: Mutex<BTreeMap<String, (Arc<metadata::Module>, Timestamp)>>,
    /// What was last seen of the organisation that the records are in.
    organisation: Mutex<Option<SeenOrganisation>>,
    /// How much of what cannot be undone is ordinary.
    brake: BrakeLimits,
    clock: Clock,
    random: Random,
}

impl Zoho {
    /// A destination that delivers by this mapping.
    pub fn new(
        store: Store,
        client: Client,
        mapping: Mapping,
        brake: BrakeLimits,
        clock: Clock,
        random: Random,
    ) -> Self {
        let (modules, organisation) = (Mutex::new(BTreeMap::new()), Mutex::new(None));
        Self { store, client, mapping: Arc::new(mapping), modules, organisation, brake, clock, random }
    }

    /// The URL of a record's page in Zoho, if known.
    pub fn page(&self, kind: Kind, remote_id: &str) -> Option<String> {
        self.client.page(&self.mapping.module(kind)?.module, remote_id)
    }

    /// The metadata of a kind's module, cached for a while. An error when the mapping does not fit it.
    async fn metadata(&self, kind: Kind, module: &ModuleMapping) -> Result<Arc<metadata::Module>, DestinationFailure> {
        // Under the lock: one worker reads, the others wait for it.
        let mut held = self.modules.lock().await;
        let now = self.clock.now();
        if let Some((metadata, at)) = held.get(&module.module)
            && !now.is_past(*at, limits::METADATA_TIME)
        {
            return Ok(Arc::clone(metadata));
        }
        let name = &module.module;
        let found = self.client.fields(name).await.map_err(|error| match &error {
            CallError::Configuration { reason, code } => {
                hold::of_code(kind, Records::All, code, format!("{name}: {reason}."))
            }
            error => self.failure(Records::All, error),
        });
        let found = match (found, held.get_mut(&module.module)) {
            // What was known an hour ago is better than waiting.
            (Err(DestinationFailure::Outage { reason, .. }), Some((known, at))) => {
                tracing::warn!(module = name, reason, "could not read the module's fields again");
                *at = stale(now);
                return Ok(Arc::clone(known));
            }
            (found, _) => found?,
        };
        let findings = check::check_module(&self.mapping, kind, module, found.as_ref());
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        match (found, errors.clone().next()) {
            (Some(found), None) => {
                let metadata = Arc::new(found);
                held.insert(name.clone(), (Arc::clone(&metadata), now));
                Ok(metadata)
            }
            (_, first) => {
                let reason = first
                    .map_or_else(|| format!("Zoho has no module {name}."), |first| does_not_fit(first, errors.count()));
                Err(DestinationFailure::Hold {
                    kind,
                    records: Records::All,
                    cause: "configuration",
                    reason,
                    may_end: true,
                })
            }
        }
    }

    /// Fails if Zoho is another organisation than the one that the records were delivered to: what is synced here is
    /// not there.
    /// Returns its time zone, by name.
    async fn same_organisation(&self) -> Result<Option<String>, DestinationFailure> {
        let mut seen = self.organisation.lock().await;
        let now = self.clock.now();
        if let Some(seen) = seen.as_ref()
            && !now.is_past(seen.at, limits::METADATA_TIME)
        {
            return Ok(seen.time_zone.clone());
        }
        let organisation = match (self.client.org().await, seen.as_mut()) {
            (Ok(organisation), _) => organisation,
            (Err(error @ (CallError::Unknown { .. } | CallError::Unreachable { .. })), Some(seen)) => {
                tracing::warn!(%error, "could not read the organisation again");
                seen.at = stale(now);
                return Ok(seen.time_zone.clone());
            }
            (Err(error), _) => return Err(self.failure(Records::All, &error)),
        };
        let known = self.store.organisation(Self::NAME, &organisation.id).await.map_err(unreadable)?;
        if known == organisation.id {
            let time_zone = organisation.time_zone;
            *seen = Some(SeenOrganisation { at: now, time_zone: time_zone.clone() });
            return Ok(time_zone);
        }
        let reason = format!(
            "The credentials are for another organisation in Zoho ({}, {}) than the one that the records were delivered to ({known}). \
             Nothing was sent. If it is the wrong one, correct the section [zoho] of the configuration. If everything is to be \
             delivered to this one from the beginning: backend-sync sync accept organisation.",
            organisation.name, organisation.id
        );
        Err(DestinationFailure::Pause { cause: "organisation", reason, check_at: None })
    }

    /// What a failed call means for these records.
    fn failure(&self, records: Records, error: &CallError) -> DestinationFailure {
        let reason = error.to_string();
        match error {
            CallError::Unauthorized { .. } => {
                DestinationFailure::Pause { cause: "credentials", reason, check_at: None }
            }
            CallError::Configuration { .. } => {
                DestinationFailure::Pause { cause: "configuration", reason, check_at: None }
            }
            CallError::CreditsExhausted => {
                let check_at = Some(self.clock.now().after(limits::CREDITS_CHECK));
                DestinationFailure::Pause { cause: "credits", reason, check_at }
            }
            CallError::Throttled { .. } => DestinationFailure::Throttled,
            CallError::Unreachable { .. } => DestinationFailure::Outage { records, reason, everything: true },
            CallError::Unknown { .. } | CallError::Invalid { .. } => {
                DestinationFailure::Outage { records, reason, everything: false }
            }
        }
    }
}

/// The time after which metadata is read again that could not be: long enough to leave a destination with problems alone.
const METADATA_RETRY: Duration = Duration::from_secs(60);

/// When something was read, if it is to be read again soon: reading it just failed.
fn stale(now: Timestamp) -> Timestamp {
    now.before(limits::METADATA_TIME).after(METADATA_RETRY)
}

/// What is wrong with a module that the mapping does not fit.
fn does_not_fit(first: &MappingFinding, errors: usize) -> String {
    let place = first.field.as_ref().map_or_else(|| first.module.clone(), |field| format!("{}.{field}", first.module));
    let more = if errors > 1 { format!(" (and {} more)", errors - 1) } else { String::new() };
    format!(
        "The mapping does not fit Zoho: {place}: {}. {}{more}. backend-sync zoho check shows everything; backend-sync zoho setup \
         creates what is missing.",
        first.problem, first.advice
    )
}

/// Reads the metadata of the mapping's modules.
pub async fn read_modules(client: &Client, mapping: &Mapping) -> Result<Modules, CallError> {
    let mut modules = Modules::new();
    for (_, module) in mapping.modules() {
        if !modules.contains_key(&module.module) {
            modules.insert(module.module.clone(), client.fields(&module.module).await?);
        }
    }
    Ok(modules)
}

/// What it means for the destination that records cannot be read.
fn unreadable(error: StoreError) -> DestinationFailure {
    let reason = format!("the records could not be read: {error}");
    DestinationFailure::Outage { records: Records::All, reason, everything: true }
}

impl Destination for Zoho {
    const NAME: &'static str = super::NAME;

    fn mapping(&self) -> String {
        self.mapping.digest()
    }

    fn admit(&self, lane: Lane, waiting: u64, now: Timestamp) -> Admission {
        self.client.limiter().admit(lane, waiting, now)
    }

    /// In parts that fit into memory, until the destination fails.
    async fn deliver(&self, items: Vec<Claimed>) -> Delivery {
        let mut all = Delivery::default();
        for part in parts(items, |item| item.bytes) {
            let Delivery { settled, redeliver, reconsider, edges, failure } = match self.deliver_part(part).await {
                Ok(delivered) => delivered,
                Err(failure) => Delivery { failure: Some(failure), ..Delivery::default() },
            };
            all.settled.extend(settled);
            all.redeliver.extend(redeliver);
            all.reconsider.extend(reconsider);
            all.edges.extend(edges);
            all.failure = failure;
            if all.failure.is_some() {
                break;
            }
        }
        all
    }

    async fn check(&self) -> Option<DestinationFailure> {
        self.modules.lock().await.clear();
        *self.organisation.lock().await = None;
        if let Err(failure) = self.same_organisation().await {
            return Some(failure);
        }
        match self.client.limiter().admit(Lane::NewUser, 0, self.clock.now()) {
            Admission::Exhausted { reason, check_at } => {
                Some(DestinationFailure::Pause { cause: "credits", reason, check_at: Some(check_at) })
            }
            _ => None,
        }
    }

    async fn refresh_credits(&self) {
        if let Err(error) = self.client.refresh_credits().await {
            tracing::warn!(%error, "could not refresh the number of API credits left");
        }
    }

    fn credits(&self) -> Option<(i64, Timestamp)> {
        self.client.limiter().credits()
    }
}
