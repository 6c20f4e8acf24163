//! The time zone of dates: midnight in Berlin is the day before in UTC.

use chrono_tz::Tz;

use super::{Modules, Zoho};
use crate::delivery::DestinationFailure;

impl Zoho {
    /// The mapping's time zone, or else the organisation's, which is only asked for if anything is written as a date.
    pub(super) async fn read_time_zone(&self, modules: &Modules) -> Result<Tz, DestinationFailure> {
        if let Some(time_zone) = self.mapping.time_zone() {
            return Ok(time_zone);
        }
        let writes_dates = self.mapping.modules().any(|(_, module)| {
            let metadata = modules.get(&module.module).and_then(Option::as_ref);
            metadata.is_some_and(|metadata| module.writes_dates(metadata))
        });
        if !writes_dates {
            return Ok(Tz::UTC);
        }
        let name = self.client.org().await.map_err(|error| self.failure(&error))?.time_zone;
        let known = name.and_then(|name| name.parse().ok());
        known.ok_or_else(|| {
            let reason = "The organisation in Zoho does not say its time zone, or one that is unknown here, and dates \
                depend on it. Write it into the mapping file, above its tables: time_zone = \"Europe/Berlin\"";
            DestinationFailure::Pause { cause: "configuration", reason: reason.to_owned(), check_at: None }
        })
    }
}
