//! Trying out another mapping, without sending or storing anything.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::{Modules, Zoho, read_modules};
use crate::{
    delivery::DestinationFailure,
    zoho::{
        mapping::Mapping,
        setup::check::{self, MappingFinding},
    },
};

impl Zoho {
    /// The mapping that records are delivered by.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The problems of the current mapping, by Zoho's current metadata: one call per module.
    pub async fn findings(&self) -> Result<Vec<MappingFinding>, DestinationFailure> {
        let modules = self.read(&self.mapping).await?;
        Ok(check::check(&self.mapping, &modules))
    }

    /// The same destination with another mapping, for a dry run, and that mapping's problems: one call per module.
    pub async fn by(&self, mapping: Mapping) -> Result<(Self, Vec<MappingFinding>), DestinationFailure> {
        let modules = self.read(&mapping).await?;
        let findings = check::check(&mapping, &modules);
        let now = self.clock.now();
        let known = modules.into_iter().filter_map(|(name, module)| Some((name, (Arc::new(module?), now)))).collect();
        let (known, organisation) = (Mutex::new(known), Mutex::new(None));
        let Self { store, client, clock, random, .. } = self;
        let (store, client, clock, random) = (store.clone(), client.clone(), clock.clone(), random.clone());
        Ok((
            Self {
                store,
                client,
                mapping: Arc::new(mapping),
                modules: known,
                organisation,
                brake: self.brake,
                clock,
                random,
            },
            findings,
        ))
    }

    async fn read(&self, mapping: &Mapping) -> Result<Modules, DestinationFailure> {
        read_modules(&self.client, mapping).await.map_err(|error| self.failure(crate::model::Records::All, &error))
    }
}
