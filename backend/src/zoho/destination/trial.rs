//! Trying out another mapping, without sending or storing anything.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::{Known, Modules, Zoho, read_modules};
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
        let Self { store, client, clock, random, .. } = self;
        let (store, client, clock, random) = (store.clone(), client.clone(), clock.clone(), random.clone());
        let other = Self { store, client, mapping: Arc::new(mapping), modules: Mutex::default(), clock, random };
        let time_zone = other.read_time_zone(&modules).await?;
        *other.modules.lock().await = Some((Arc::new(Known { by_name: modules, time_zone }), self.clock.now()));
        Ok((other, findings))
    }

    async fn read(&self, mapping: &Mapping) -> Result<Modules, DestinationFailure> {
        read_modules(&self.client, mapping).await.map_err(|error| self.failure(&error))
    }
}
