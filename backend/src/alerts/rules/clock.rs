//! When the time is not agreed or a clock is wrong.

use super::{Violation, critical, warning};
use crate::{
    clock::{
        ClockStatus,
        judge::{Disagreement, offset_in_words},
    },
    limits,
    model::{Observation, Rule},
};

/// Judges the clocks.
pub(in crate::alerts) fn clock(status: &ClockStatus) -> Option<Observation> {
    found(status).map(|wrong| wrong.of(Rule::Clock, "clock"))
}

fn found(status: &ClockStatus) -> Option<Violation> {
    let ClockStatus { disagreement: doubt, machine_ahead_ms } = status;
    if let Some(doubt) = doubt.filter(|doubt| *doubt != Disagreement::NotCompared) {
        let title = "The time is not agreed".to_owned();
        let message = format!(
            "The time is not agreed: {doubt}. Until it is, nothing is deleted or erased because of its age. See backend-sync clock on the \
             server; if its clock is right, backend-sync clock accept."
        );
        return Some(critical("time_not_agreed", title, message));
    }
    if machine_ahead_ms.unsigned_abs() <= limits::CLOCK_SLACK.as_millis() as u64 {
        return None;
    }
    let (by, side) = offset_in_words(*machine_ahead_ms);
    let title = format!("A server's clock is {by} {side}");
    let message = format!(
        "{title} of the time that all servers use. Run a time service such as chrony there; backend-sync doctor \
         shows both."
    );
    Some(warning("clock_differs", title, message))
}

#[cfg(test)]
mod tests {
    use super::clock;
    use crate::{
        clock::{ClockStatus, Disagreement},
        model::Severity,
    };

    #[test]
    fn an_alert_when_the_time_is_not_agreed_or_a_clock_differs() {
        let code = |doubt, machine_ahead_ms| {
            clock(&ClockStatus { disagreement: doubt, machine_ahead_ms })
                .map(|finding| (finding.code, finding.severity))
        };
        assert_eq!(code(None, 59_000), None);
        assert_eq!(code(None, -61_000), Some(("clock_differs", Severity::Warning)));
        let step = Some(Disagreement::Step { ahead_ms: 3_600_000 });
        assert_eq!(code(step, 3_600_000), Some(("time_not_agreed", Severity::Critical)));
        assert_eq!(code(Some(Disagreement::NotCompared), 0), None);
    }
}
