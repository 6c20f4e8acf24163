//! The delivery to Zoho: reads records, decides, writes, and settles by Zoho's answers.

mod adopt;
mod batch;
mod decide;
mod deliver;
mod erase;
mod mark;
mod outcome;
mod plan;
mod remarks;
mod time_zone;
mod trial;
mod verify;

use std::{collections::BTreeMap, sync::Arc};

use chrono_tz::Tz;
use tokio::sync::Mutex;

use self::{
    batch::DeliveryBatch,
    decide::{Decider, Decision},
};
pub use self::{
    plan::{Action, Difference, Plan, Planned, RECORDS_PER_CREDIT},
    verify::user_key,
};
use super::{
    client::{CallError, Client},
    mapping::Mapping,
    metadata,
    setup::check::{self, Severity},
};
use crate::{
    clock::{Clock, Timestamp},
    delivery::{Admission, Delivery, Destination, DestinationFailure},
    limits,
    model::{Kind, Lane},
    random::Random,
    store::{Claimed, Store, StoreError},
};

/// The mapping's modules with their metadata; `None` for modules that Zoho does not have.
pub type Modules = BTreeMap<String, Option<metadata::Module>>;

/// What is known about the organisation.
struct Known {
    by_name: Modules,
    /// Of dates.
    time_zone: Tz,
}

/// Zoho CRM as a destination.
pub struct Zoho {
    store: Store,
    client: Client,
    mapping: Arc<Mapping>,
    modules: Mutex<Option<(Arc<Known>, Timestamp)>>,
    clock: Clock,
    random: Random,
}

impl Zoho {
    /// A destination that delivers by this mapping.
    pub fn new(store: Store, client: Client, mapping: Mapping, clock: Clock, random: Random) -> Self {
        Self { store, client, mapping: Arc::new(mapping), modules: Mutex::new(None), clock, random }
    }

    /// The URL of a record's page in Zoho, if known.
    pub fn page(&self, kind: Kind, remote_id: &str) -> Option<String> {
        self.client.page(&self.mapping.module(kind)?.module, remote_id)
    }

    /// The metadata of the mapping's modules, cached for a while. An error when the mapping does not fit them.
    async fn modules(&self) -> Result<Arc<Known>, DestinationFailure> {
        // Under the lock: one worker reads, the others wait for it.
        let mut held = self.modules.lock().await;
        let now = self.clock.now();
        if let Some((modules, at)) = held.as_ref()
            && !now.is_past(*at, limits::METADATA_TIME)
        {
            return Ok(Arc::clone(modules));
        }
        let modules = read_modules(&self.client, &self.mapping).await.map_err(|error| self.failure(&error))?;
        let findings = check::check(&self.mapping, &modules);
        let errors: Vec<_> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
        if let Some(first) = errors.first() {
            let place =
                first.field.as_ref().map_or_else(|| first.module.clone(), |field| format!("{}.{field}", first.module));
            let more = if errors.len() > 1 { format!(" (and {} more)", errors.len() - 1) } else { String::new() };
            let reason = format!(
                "The mapping does not fit Zoho: {place}: {}. {}{more}. backend-sync zoho check shows everything; backend-sync \
                 zoho setup creates what is missing.",
                first.problem, first.advice
            );
            return Err(DestinationFailure::Pause { cause: "configuration", reason, check_at: None });
        }
        let time_zone = self.read_time_zone(&modules).await?;
        let modules = Arc::new(Known { by_name: modules, time_zone });
        *held = Some((Arc::clone(&modules), now));
        Ok(modules)
    }

    /// What a failed call means for the whole destination.
    fn failure(&self, error: &CallError) -> DestinationFailure {
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
            CallError::Unreachable { .. } | CallError::Unknown { .. } | CallError::Invalid { .. } => {
                DestinationFailure::Outage { reason }
            }
        }
    }
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
    DestinationFailure::Outage { reason: format!("the records could not be read: {error}") }
}

impl Destination for Zoho {
    const NAME: &'static str = super::NAME;

    fn admit(&self, lane: Lane, waiting: u64, now: Timestamp) -> Admission {
        self.client.limiter().admit(lane, waiting, now)
    }

    /// In parts that fit into memory, until the destination fails.
    async fn deliver(&self, items: Vec<Claimed>) -> Delivery {
        let kind = items.first().map_or(Kind::User, |item| item.key.kind);
        let mut all = Delivery::default();
        let parts = match self.store.in_parts(kind, items).await {
            Ok(parts) => parts,
            Err(error) => return Delivery { failure: Some(unreadable(error)), ..all },
        };
        for part in parts {
            let Delivery { settled, redeliver, reconsider, failure } = match self.deliver_part(part).await {
                Ok(delivered) => delivered,
                Err(failure) => Delivery { failure: Some(failure), ..Delivery::default() },
            };
            all.settled.extend(settled);
            all.redeliver.extend(redeliver);
            all.reconsider.extend(reconsider);
            all.failure = failure;
            if all.failure.is_some() {
                break;
            }
        }
        all
    }

    async fn check(&self) -> Option<DestinationFailure> {
        *self.modules.lock().await = None;
        match self.client.org().await {
            Ok(_) => {}
            Err(error) => return Some(self.failure(&error)),
        }
        if let Err(failure) = self.modules().await {
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
