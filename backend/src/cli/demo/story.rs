//! The term, week by week, and what is left at its end.

use std::time::Duration;

use zoho_simulator::Simulator;

use super::{SITE, show};
use crate::{
    cli::{CliError, print},
    demo::{
        organisation::SimulatedOrganisation,
        plugin::{Plugin, Tally},
        term::{DAY, Term, TermEvent, WEEKS},
        verdict::{Group, Snapshot, judge},
    },
    limits,
    model::ItemState,
    store::Store,
    zoho::mapping::Mapping,
};

/// How long the delivery may take after the last event. Most of it is the minimum interval between two deliveries of a record.
const IDLE_TIME: Duration = Duration::from_secs(5 * 60);

/// Between two checks whether everything is delivered, and later whether something has changed.
const IDLE_CHECK: Duration = Duration::from_millis(250);

/// The week and the day whose events are sent twice.
const REPEATED: (i64, i64) = (5, 2);

const DAYS: i64 = 7;

pub(super) struct Story {
    pub(super) term: Term,
    pub(super) plugin: Plugin,
    pub(super) store: Store,
    pub(super) simulator: Simulator,
    pub(super) organisation: SimulatedOrganisation,
    pub(super) mapping: Mapping,
    /// The id of the contact to delete, of the two with the same address.
    pub(super) second_contact: String,
    pub(super) pace: u16,
    pub(super) backend: String,
    pub(super) zoho: String,
    pub(super) token: String,
}

impl Story {
    /// Sends all events, and prints a line a week.
    pub(super) async fn weeks(&self) -> Result<(), CliError> {
        show::heading()?;
        let mut all = Tally::default();
        for week in 0..=WEEKS {
            let events: Vec<&TermEvent> =
                self.term.events.iter().filter(|event| self.term.week(event) == week).collect();
            all.add(self.week(week, &events).await?);
            let label = if week == 0 { "preparation".to_owned() } else { format!("week {week}") };
            show::row(&label, Some(events.len()), &Snapshot::take(&self.store, &self.simulator).await?)?;
            if let Some(note) = Term::note(week) {
                show::note(note)?;
            }
        }
        self.wait_until_idle().await?;
        show::row("at rest", None, &Snapshot::take(&self.store, &self.simulator).await?)?;
        let events: usize = all.0.values().sum();
        print(format_args!(
            "\n{events} events: {} applied, {} unchanged, {} superseded by a newer state, {} duplicate, {} rejected.",
            all.of("applied"),
            all.of("unchanged"),
            all.of("superseded"),
            all.of("duplicate"),
            all.of("rejected"),
        ))?;
        match all.of("rejected") {
            0 => Ok(()),
            rejected => Err(CliError::Usage(format!("{rejected} events were rejected; the log says why"))),
        }
    }

    async fn week(&self, week: i64, events: &[&TermEvent]) -> Result<Tally, CliError> {
        let mut tally = Tally::default();
        let begin = self.term.start + (week - 1) * DAYS * DAY;
        let rest = Duration::from_secs(self.pace.into()) / u32::try_from((WEEKS + 1) * DAYS).unwrap_or(1);
        for day in 0..DAYS {
            let of_day = events.iter().filter(|event| (event.sent - begin).div_euclid(DAY) == day);
            let of_day: Vec<TermEvent> = of_day.map(|event| (*event).clone()).collect();
            for request in of_day.chunks(limits::BATCH_EVENTS) {
                tally.add(self.plugin.send(request).await?);
                if (week, day) == REPEATED {
                    tally.add(self.plugin.send(request).await?);
                }
            }
            tokio::time::sleep(rest).await;
        }
        Ok(tally)
    }

    async fn wait_until_idle(&self) -> Result<(), CliError> {
        let idle = async {
            while Snapshot::take(&self.store, &self.simulator).await?.waiting() > 0 {
                tokio::time::sleep(IDLE_CHECK).await;
            }
            Ok::<_, CliError>(())
        };
        // After a timeout, the verdict lists what still waits.
        tokio::time::timeout(IDLE_TIME, idle).await.unwrap_or(Ok(()))
    }

    /// Prints the result; returns the number of problems.
    pub(super) async fn end(&self) -> Result<usize, CliError> {
        let verdict = judge(&self.store, &self.simulator, &self.mapping, &self.term).await?;
        let snapshot = Snapshot::take(&self.store, &self.simulator).await?;
        let items = |state| snapshot.items(state);
        let sum = if verdict.conservation.holds() { "no record is missing" } else { "THE SUM IS WRONG" };
        print(format_args!(
            "{} records = {} synced + {} pending + {} parked + {} failed: {sum}.",
            verdict.conservation.records,
            items(ItemState::Synced),
            snapshot.waiting(),
            items(ItemState::Parked),
            items(ItemState::Failed),
        ))?;
        let (used, allowance) = self.organisation.credits().await?;
        print(format_args!(
            "{} contacts were in Zoho before the term; {} of them were adopted. API credits used: {used} of {allowance} per day.",
            self.term.imported.len(),
            self.term.imported.len() - self.term.untouched,
        ))?;
        let of = |state| verdict.groups.iter().filter(|group| group.state == state).collect::<Vec<&Group>>();
        show::groups("Failed: needs a person.", &of(ItemState::Failed))?;
        show::groups("Parked: delivered automatically once the reason is gone.", &of(ItemState::Parked))?;
        show::groups("Left out on purpose (counted as synced).", &of(ItemState::Synced))?;
        if !verdict.problems.is_empty() {
            print("\nUNEXPECTED:")?;
            verdict.problems.iter().try_for_each(|problem| show::indented(problem, 2))?;
        }
        Ok(verdict.problems.len())
    }

    /// Prints a line after each change that has been delivered, forever.
    pub(super) async fn watch(&self) -> Result<(), CliError> {
        let mut shown = Snapshot::take(&self.store, &self.simulator).await?;
        loop {
            tokio::time::sleep(IDLE_CHECK).await;
            let now = Snapshot::take(&self.store, &self.simulator).await?;
            if now.waiting() == 0 && now != shown {
                show::row("now", None, &now)?;
                shown = now;
            }
        }
    }

    /// Explains how to fix the failed record.
    pub(super) async fn repair(&self) -> Result<(), CliError> {
        self.organisation.end_lag().await?;
        let Self { zoho, backend, token, second_contact, .. } = self;
        print(format_args!(
            "\nTo fix it, delete the second contact as a person would in Zoho, then retry the student.\n\
             The parked records follow at once:\n\
             \x20 curl -d '{{\"id\": \"{second_contact}\", \"$delete\": true}}' {zoho}/__sim/records/Contacts\n\
             \x20 curl -X POST -H 'Authorization: Bearer {token}' \\\n\
             \x20   {backend}/api/v1/destinations/zoho/items/user/{SITE}:{}/retry",
            self.term.ambiguous.0,
        ))
    }
}
