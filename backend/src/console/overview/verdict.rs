//! The state of everything in one sentence and one colour.

use super::{super::lines::display, LONG_WAIT, counted, number, span};
use crate::{
    alerts::{page, title},
    clock::Timestamp,
    health::WriteHealth,
    model::{ItemState, Rule, Severity},
    store::{Alert, Counts, DestinationSummary, OPERATOR, OUTAGE},
    views::HoldView,
};

/// How bad it is, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Colour {
    Good,
    Calm,
    Warn,
    Bad,
}

impl Colour {
    /// The CSS class.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Calm => "calm",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// The worst thing found.
pub(super) struct OverviewVerdict {
    pub(super) colour: Colour,
    pub(super) sentence: String,
    /// The page to go to.
    pub(super) address: Option<String>,
}

impl OverviewVerdict {
    pub(super) fn new() -> Self {
        let sentence = "All is well: everything that Moodle reported has been delivered.".to_owned();
        Self { colour: Colour::Good, sentence, address: None }
    }

    /// Replaces the verdict by a worse one.
    fn worsen(&mut self, colour: Colour, sentence: String, address: Option<&str>) {
        if colour > self.colour {
            *self = Self { colour, sentence, address: address.map(str::to_owned) };
        }
    }

    pub(super) fn add_destination(&mut self, summary: &DestinationSummary, counts: &[Counts], now: Timestamp) {
        let name = &display(&summary.name);
        let of = |states: &'static [ItemState]| counts.iter().filter(|counts| states.contains(&counts.state));
        if let Some(pause) = &summary.pause {
            let colour = if pause.cause == OPERATOR { Colour::Warn } else { Colour::Bad };
            self.worsen(colour, format!("Nothing is delivered to {name}: {}", pause.reason), Some("/attention"));
        }
        if let Some(hold) = summary.holds.first() {
            let sentence = format!("No {} are delivered to {name}: {}", HoldView::records(hold), hold.reason);
            let colour = if hold.cause == OUTAGE { Colour::Warn } else { Colour::Bad };
            self.worsen(colour, sentence, Some("/attention"));
        }
        if let Some((audit, _)) = &summary.audit
            && !audit.holds()
        {
            let sentence = format!(
                "The sum is wrong: {} but {} for {name}. `backend-sync sync audit` says more.",
                counted(audit.records, "record"),
                counted(audit.items, "sync item")
            );
            self.worsen(Colour::Bad, sentence, None);
        }
        let on_the_way = &[ItemState::Pending, ItemState::InFlight];
        let waiting: u64 = of(on_the_way).map(|counts| counts.count).sum();
        let longest = of(on_the_way).map(|counts| now.since(counts.oldest)).max().unwrap_or_default();
        let are = if waiting == 1 { "change is" } else { "changes are" };
        let on_its_way = format!("{} {are} on the way to {name}, the oldest for {}", number(waiting), span(longest));
        if waiting > 0 && longest > LONG_WAIT {
            self.worsen(Colour::Bad, format!("{on_its_way}: too long."), Some("/records?state=pending"));
        }
        let failed: u64 = of(&[ItemState::Failed]).map(|counts| counts.count).sum();
        if failed > 0 {
            let (need, them) = if failed == 1 { ("record needs", "it") } else { ("records need", "them") };
            let sentence = format!("{} {need} a person before {name} takes {them}.", number(failed));
            self.worsen(Colour::Warn, sentence, Some("/attention"));
        }
        if let Some(reason) = &summary.slow_reason {
            self.worsen(Colour::Warn, format!("Delivery to {name} is slow: {reason}"), None);
        }
        if waiting > 0 {
            self.worsen(Colour::Calm, format!("{on_its_way}. That is normal."), None);
        }
    }

    /// What others changed at a destination, and nobody has decided about.
    pub(super) fn add_findings(&mut self, destination: &str, open: u64) {
        if open > 0 {
            let (differ, wait) = if open == 1 { ("record differs", "waits") } else { ("records differ", "wait") };
            let sentence = format!("{} {differ} in {} and {wait} for a decision.", number(open), display(destination));
            self.worsen(Colour::Warn, sentence, Some("/parity"));
        }
    }

    /// A database that accepts no events is bad on its own: all other findings may be stale.
    pub(super) fn add_write_health(&mut self, health: &WriteHealth) {
        let Some(failing) = health.failing() else { return };
        let (cause, advice) = {
            let (_, cause, advice) = failing.cause.in_words();
            (cause, advice)
        };
        let sentence =
            format!("The database accepts no events: {cause}. Until it does, events are answered 503. {advice}");
        self.worsen(Colour::Bad, sentence, Some("/alerts"));
    }

    /// Skips rules whose cause is visible here anyway, because an alert resolves some minutes after its cause.
    pub(super) fn add_alert(&mut self, alert: &Alert) {
        let seen_here = [Rule::OldestChange, Rule::Parked, Rule::Failed, Rule::Paused, Rule::Conservation];
        if seen_here.contains(&alert.rule) {
            return;
        }
        let colour = if alert.severity == Severity::Critical { Colour::Bad } else { Colour::Warn };
        let title = title(alert);
        // Most messages begin with what the title says.
        let sentence = match alert.message.starts_with(&title) {
            true => alert.message.clone(),
            false => format!("{title}. {}", alert.message),
        };
        self.worsen(colour, sentence, Some(&page(alert)));
    }

    /// `is_looked_at`: whether the alert rules were evaluated a short while ago.
    pub(super) fn conclude(&mut self, has_destination: bool, has_events: bool, is_looked_at: bool) {
        if !is_looked_at {
            let sentence =
                "Whether all is well is not known yet: the alert rules are evaluated once a minute.".to_owned();
            self.worsen(Colour::Calm, sentence, Some("/alerts"));
        }
        if !has_events {
            let sentence = "No event has arrived yet. To connect a Moodle, see Sites and tokens.".to_owned();
            self.worsen(Colour::Calm, sentence, Some("/sites"));
        } else if !has_destination {
            let sentence = "Events are stored but not delivered: no destination is configured.".to_owned();
            self.worsen(Colour::Calm, sentence, Some("/mapping"));
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
    fn a_database_that_accepts_no_events_is_bad() {
        let (mut verdict, mut health) = (OverviewVerdict::new(), WriteHealth::default());
        verdict.add_write_health(&health);
        assert_eq!(verdict.colour, Colour::Good);
        health.note(Err(Cause::ReadOnly), std::time::Instant::now());
        verdict.add_write_health(&health);
        assert!(verdict.colour == Colour::Bad && verdict.sentence.contains("read-only"), "{}", verdict.sentence);
    }

    fn summary() -> DestinationSummary {
        let (name, pause, slow_reason, done_at) = (crate::zoho::NAME.to_owned(), None, None, None);
        DestinationSummary { name, pause, holds: Vec::new(), slow_reason, done_at, credits: None, audit: None }
    }

    fn seen(summary: &DestinationSummary, counts: &[(ItemState, u64, i64)]) -> OverviewVerdict {
        let now = Timestamp(100_000_000);
        let count = |(state, count, age): &(ItemState, u64, i64)| Counts {
            kind: Kind::User,
            state: *state,
            count: *count,
            absent: 0,
            with_remarks: 0,
            oldest: Timestamp(now.0 - age * 1_000),
        };
        let mut verdict = OverviewVerdict::new();
        verdict.add_destination(summary, &counts.iter().map(count).collect::<Vec<_>>(), now);
        verdict.conclude(true, true, true);
        verdict
    }

    #[test]
    fn the_worst_is_said() {
        assert_eq!(seen(&summary(), &[(ItemState::Synced, 5, 900_000)]).colour, Colour::Good);
        let mut early = OverviewVerdict::new();
        early.conclude(true, true, false);
        assert!(early.colour == Colour::Calm && early.sentence.contains("not known yet"), "{}", early.sentence);
        assert_eq!(seen(&summary(), &[(ItemState::Pending, 1, 3)]).colour, Colour::Calm);
        let failed = seen(&summary(), &[(ItemState::Pending, 1, 3), (ItemState::Failed, 1, 3)]);
        assert_eq!(
            (failed.colour, failed.sentence.as_str()),
            (Colour::Warn, "1 record needs a person before Zoho takes it.")
        );
        let mut found = OverviewVerdict::new();
        found.add_findings("zoho", 0);
        assert_eq!(found.colour, Colour::Good);
        found.add_findings("zoho", 2);
        assert_eq!(found.sentence, "2 records differ in Zoho and wait for a decision.");
        let late = seen(&summary(), &[(ItemState::Pending, 2, 601), (ItemState::Failed, 1, 3)]);
        assert!(late.colour == Colour::Bad && late.sentence.contains("2 changes"), "{}", late.sentence);
        let (cause, reason) = ("credentials".to_owned(), "the refresh token was revoked".to_owned());
        let pause = Some(Pause { cause, reason, since: Timestamp(0), check_at: None });
        let paused = seen(&DestinationSummary { pause, ..summary() }, &[]);
        assert!(paused.colour == Colour::Bad && paused.sentence.contains("revoked"), "{}", paused.sentence);
    }
}
