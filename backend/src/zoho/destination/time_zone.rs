//! The time zone of dates: midnight in Berlin is the day before in UTC.

use chrono_tz::Tz;

use super::Zoho;
use crate::{
    delivery::DestinationFailure,
    model::{Kind, Records},
    zoho::{mapping::ModuleMapping, metadata::Module},
};

impl Zoho {
    /// The time zone in which times of a module become dates: the mapping's, or else the organisation's. Fails if Zoho
    /// is another organisation.
    pub(super) async fn time_zone(
        &self,
        kind: Kind,
        module: &ModuleMapping,
        metadata: &Module,
    ) -> Result<Tz, DestinationFailure> {
        let of_organisation = self.same_organisation().await?;
        if let Some(time_zone) = self.mapping.time_zone() {
            return Ok(time_zone);
        }
        if !module.writes_dates(metadata) {
            return Ok(Tz::UTC);
        }
        let known = of_organisation.and_then(|name| name.parse().ok());
        known.ok_or_else(|| {
            let reason = format!(
                "{}: the organisation in Zoho does not say its time zone, or one that is unknown here, and dates depend on it. Write \
                 it into the mapping file, above its tables: time_zone = \"Europe/Berlin\"",
                module.module
            );
            DestinationFailure::Hold { kind, records: Records::All, cause: "configuration", reason, may_end: true }
        })
    }
}
