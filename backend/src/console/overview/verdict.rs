//! Everything in one sentence and one colour.

use super::{
    super::lines::{capitalised, display},
    LONG_WAIT, number, span,
};
use crate::{
    alerts::title,
    clock::Timestamp,
    health::WriteHealth,
    model::{ItemState, Rule, Severity},
    store::{Alert, Counts, DestinationSummary, OPERATOR},
};

/// How bad it is; the worse ones last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Colour {
    Good,
    Calm,
    Warn,
    Bad,
}

impl Colour {
    /// The style's class.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Calm => "calm",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// What is found, the worst of it first.
pub(super) struct OverviewVerdict {
    pub(super) colour: Colour,
    pub(super) sentence: String,
    /// Where to go about it.
    pub(super) address: Option<&'static str>,
}

impl OverviewVerdict {
    pub(super) fn new() -> Self {
        let sentence = "All is well: everything that Moodle reported has been delivered.".to_owned();
        Self { colour: Colour::Good, sentence, address: None }
    }

    /// Takes something over when it is worse than what was found before.
    pub(super) fn find(&mut self, colour: Colour, sentence: String, address: Option<&'static str>) {
        if colour > self.colour {
            *self = Self { colour, sentence, address };
        }
    }

    pub(super) fn look_at(&mut self, summary: &DestinationSummary, counts: &[Counts], now: Timestamp) {
        let name = &display(&summary.name);
        let of = |states: &'static [ItemState]| counts.iter().filter(|counts| states.contains(&counts.state));
        if let Some(pause) = &summary.pause {
            let colour = if pause.cause == OPERATOR { Colour::Warn } else { Colour::Bad };
            self.find(colour, format!("Nothing is delivered to {name}: {}", pause.reason), Some("/attention"));
        }
        if let Some((audit, _)) = &summary.audit
            && !audit.holds()
        {
            let sentence = format!(
                "{} records have {} sync items for {name}: the sum is not right. `backend-sync sync audit` says more.",
                number(audit.records),
                number(audit.items)
            );
            self.find(Colour::Bad, sentence, None);
        }
        let on_the_way = &[ItemState::Pending, ItemState::InFlight];
        let waiting: u64 = of(on_the_way).map(|counts| counts.count).sum();
        let longest = of(on_the_way).map(|counts| now.since(counts.oldest)).max().unwrap_or_default();
        let are = if waiting == 1 { "change is" } else { "changes are" };
        let on_its_way = format!("{} {are} on the way to {name}, the oldest since {}", number(waiting), span(longest));
        if waiting > 0 && longest > LONG_WAIT {
            self.find(Colour::Bad, format!("{on_its_way}: that is too long."), Some("/records?state=pending"));
        }
        let failed: u64 = of(&[ItemState::Failed]).map(|counts| counts.count).sum();
        if failed > 0 {
            let (need, them) = if failed == 1 { ("record needs", "it") } else { ("records need", "them") };
            let sentence = format!("{} {need} a person before {name} takes {them}.", number(failed));
            self.find(Colour::Warn, sentence, Some("/attention"));
        }
        if let Some(reason) = &summary.slow_reason {
            self.find(Colour::Warn, format!("The delivery to {name} is slow: {reason}"), None);
        }
        if waiting > 0 {
            self.find(Colour::Calm, format!("{on_its_way}. That is as it should be."), None);
        }
    }

    /// The database takes nothing: everything else that is found may be old.
    pub(super) fn doubt(&mut self, health: &WriteHealth) {
        let Some(failing) = health.failing() else { return };
        let (cause, advice) = {
            let (_, cause, advice) = failing.cause.in_words();
            (cause, advice)
        };
        let sentence = format!("The database takes no writes: {cause}. Events are answered 503 meanwhile. {advice}");
        self.find(Colour::Bad, sentence, Some("/alarms"));
    }

    /// What the alerts found that is not seen here anyway; an alert ends some minutes after its cause.
    pub(super) fn hear(&mut self, alert: &Alert) {
        let seen_here = [Rule::OldestChange, Rule::Parked, Rule::Failed, Rule::Paused, Rule::Conservation];
        if seen_here.contains(&alert.rule) {
            return;
        }
        let colour = if alert.severity == Severity::Critical { Colour::Bad } else { Colour::Warn };
        let title = capitalised(&title(alert.rule.as_str(), &alert.subject));
        self.find(colour, format!("{title}: {}", alert.message), Some("/alarms"));
    }

    pub(super) fn conclude(&mut self, has_destination: bool, has_events: bool) {
        if !has_events {
            let sentence = "No event has arrived yet. Connect a Moodle: see Sites and tokens.".to_owned();
            self.find(Colour::Calm, sentence, Some("/sites"));
        } else if !has_destination {
            let sentence = "Events are kept, but delivered nowhere: no destination is configured.".to_owned();
            self.find(Colour::Calm, sentence, Some("/mapping"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Colour, OverviewVerdict};
    use crate::{
        clock::Timestamp,
        health::WriteHealth,
        model::{ItemState, Kind},
        store::{Cause, Counts, DestinationSummary, Pause},
    };

    #[test]
    fn nothing_is_well_while_the_database_takes_nothing() {
        let (mut verdict, mut health) = (OverviewVerdict::new(), WriteHealth::default());
        verdict.doubt(&health);
        assert_eq!(verdict.colour, Colour::Good);
        health.note(Err(Cause::ReadOnly), std::time::Instant::now());
        verdict.doubt(&health);
        assert!(verdict.colour == Colour::Bad && verdict.sentence.contains("read-only"), "{}", verdict.sentence);
    }

    fn summary() -> DestinationSummary {
        let (name, pause, slow_reason, done_at) = ("zoho".to_owned(), None, None, None);
        DestinationSummary { name, pause, slow_reason, done_at, credits: None, audit: None }
    }

    fn seen(summary: &DestinationSummary, counts: &[(ItemState, u64, i64)]) -> OverviewVerdict {
        let now = Timestamp(100_000_000);
        let count = |(state, count, age): &(ItemState, u64, i64)| Counts {
            kind: Kind::User,
            state: *state,
            count: *count,
            oldest: Timestamp(now.0 - age * 1_000),
        };
        let mut verdict = OverviewVerdict::new();
        verdict.look_at(summary, &counts.iter().map(count).collect::<Vec<_>>(), now);
        verdict.conclude(true, true);
        verdict
    }

    #[test]
    fn the_worst_is_said() {
        assert_eq!(seen(&summary(), &[(ItemState::Synced, 5, 900_000)]).colour, Colour::Good);
        assert_eq!(seen(&summary(), &[(ItemState::Pending, 1, 3)]).colour, Colour::Calm);
        let failed = seen(&summary(), &[(ItemState::Pending, 1, 3), (ItemState::Failed, 1, 3)]);
        assert_eq!(
            (failed.colour, failed.sentence.as_str()),
            (Colour::Warn, "1 record needs a person before Zoho takes it.")
        );
        let late = seen(&summary(), &[(ItemState::Pending, 2, 601), (ItemState::Failed, 1, 3)]);
        assert!(late.colour == Colour::Bad && late.sentence.contains("2 changes"), "{}", late.sentence);
        let (cause, reason) = ("credentials".to_owned(), "the refresh token was revoked".to_owned());
        let pause = Some(Pause { cause, reason, since: Timestamp(0), check_at: None });
        let paused = seen(&DestinationSummary { pause, ..summary() }, &[]);
        assert!(paused.colour == Colour::Bad && paused.sentence.contains("revoked"), "{}", paused.sentence);
    }
}
