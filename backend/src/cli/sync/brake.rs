//! `backend-sync sync brake`

use std::time::Duration;

use clap::Subcommand;
use poem_openapi::types::ToJSON;

use super::{RecordArgument, site_id};
use crate::{
    cli::{CliError, counted, print},
    clock::{Clock, Timestamp},
    config::Config,
    model::Effect,
    store::{BrakeDecision, BrakeDone, Store},
    views::{BrakeView, BrakedRecordView, approve_effects, check_approval, refuse_effects, withdraw_exceptions},
};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct BrakeArguments {
    #[command(subcommand)]
    action: Option<BrakeAction>,
    /// Only this site
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum BrakeAction {
    /// Let what waits happen now; with an end, also what comes until then
    Approve {
        #[command(flatten)]
        selection: Selection,
        /// Until this time, as in 2026-11-30T18:00:00Z: what is left of the number is approved ahead
        #[arg(long, value_name = "TIME", requires = "number", conflicts_with = "hours")]
        until: Option<String>,
        /// For so many hours from now: what is left of the number is approved ahead
        #[arg(long = "for", value_name = "HOURS", requires = "number", value_parser = clap::value_parser!(u64).range(1..=744))]
        hours: Option<u64>,
    },
    /// Leave what waits in Zoho as it is, for good: named exceptions. Lifts waiting erasures, and ends approvals ahead
    Refuse {
        #[command(flatten)]
        selection: Selection,
    },
    /// Take refusals back: what they are about waits for a decision again
    Withdraw {
        #[command(flatten)]
        selection: Selection,
    },
}

#[derive(Debug, clap::Args)]
struct Selection {
    /// Name of the site
    #[arg(long, value_name = "NAME")]
    site: String,
    /// Only this: adoption, deletion, removal or erasure
    #[arg(long, visible_alias = "kind")]
    effect: Option<Effect>,
    /// At most so many, those first that have waited longest
    #[arg(long, value_name = "N")]
    number: Option<u64>,
    /// Only this record: kind:site:id, as in user:college:3
    #[arg(long, value_name = "RECORD", conflicts_with = "number")]
    record: Option<RecordArgument>,
    /// Who decides
    #[arg(long, value_name = "NAME", default_value = "command line")]
    by: String,
}

impl Selection {
    async fn decision(&self, store: &Store) -> Result<BrakeDecision<'_>, CliError> {
        let site_id = site_id(store, &self.site).await?;
        let record = match &self.record {
            Some(record) => Some(record.key(store).await?),
            None => None,
        };
        if record.is_some_and(|record| record.site_id != site_id) {
            return Err(CliError::Usage(format!("the record is not of the site {}", self.site)));
        }
        Ok(BrakeDecision { site_id, effect: self.effect, record, number: self.number, by: &self.by })
    }
}

pub(super) async fn run(
    config: &Config,
    store: &Store,
    arguments: BrakeArguments,
    clock: &Clock,
) -> Result<(), CliError> {
    let BrakeArguments { action, site, json } = arguments;
    let now = clock.now();
    match action {
        None => {
            let only = match site {
                Some(site) => Some(site_id(store, &site).await?),
                None => None,
            };
            let found = BrakeView::read(store, config.brake.limits(), now, only).await?;
            if json { print(found.to_json_string()) } else { show(&found) }
        }
        Some(BrakeAction::Approve { selection, until, hours }) => {
            let until = match (until, hours) {
                (Some(until), _) => Some(moment(&until)?),
                (None, hours) => hours.map(|hours| now.after(Duration::from_secs(hours * 60 * 60))),
            };
            let decision = selection.decision(store).await?;
            check_approval(&decision, until, now).map_err(|error| CliError::Usage(error.to_string()))?;
            let (done, ahead) = approve_effects(store, &decision, until, now).await?;
            print(format_args!("Approved: {}.", in_words(done)))?;
            match until.filter(|_| ahead > 0) {
                Some(until) => print(format_args!("Approved ahead: {ahead} more, until {}.", until.to_rfc3339())),
                None => Ok(()),
            }
        }
        Some(BrakeAction::Refuse { selection }) => {
            let done = refuse_effects(store, &selection.decision(store).await?, now).await?;
            print(format_args!(
                "Refused: {}. They stay as they are; `sync brake withdraw` takes it back.",
                in_words(done)
            ))
        }
        Some(BrakeAction::Withdraw { selection }) => {
            let done = withdraw_exceptions(store, &selection.decision(store).await?, now).await?;
            print(format_args!("Waiting for a decision again: {}.", in_words(done)))
        }
    }
}

fn moment(text: &str) -> Result<Timestamp, CliError> {
    Timestamp::from_rfc3339(text)
        .ok_or_else(|| CliError::Usage("write the time as in 2026-11-30T18:00:00Z, or use --for HOURS".to_owned()))
}

fn in_words(done: BrakeDone) -> String {
    match done {
        BrakeDone { records, erasures: 0 } => counted(records, "record"),
        BrakeDone { records: 0, erasures } => counted(erasures, "erasure"),
        BrakeDone { records, erasures } => {
            format!("{} and {}", counted(records, "record"), counted(erasures, "erasure"))
        }
    }
}

fn show(found: &BrakeView) -> Result<(), CliError> {
    if found.window_minutes == 0 {
        print("The brake is off (brake.window_minutes).")?;
    }
    print(format_args!(
        "{:<12} {:<10} {:>9} {:>9} {:>9} {:>9}",
        "site", "effect", "done", "ordinary", "waiting", "refused"
    ))?;
    for site in &found.sites {
        for effect in &site.effects {
            let ordinary = effect.limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
            print(format_args!(
                "{:<12} {:<10} {:>9} {ordinary:>9} {:>9} {:>9}",
                site.site,
                effect.effect.as_str(),
                effect.done,
                effect.waiting,
                effect.excepted
            ))?;
            list("waits", &effect.records, effect.waiting)?;
            list("refused", &effect.exceptions, effect.excepted)?;
        }
    }
    if found.window_minutes > 0 {
        print(format_args!("Done within {} minutes, without what was approved.", found.window_minutes))?;
    }
    for approval in &found.approvals {
        print(format_args!(
            "Approved ahead by {}: {} more of {} at {} until {}, {} used.",
            approval.by,
            approval.number,
            approval.effect.map_or("any effect", Effect::as_str),
            approval.site,
            approval.until,
            approval.used
        ))?;
    }
    if found.sites.iter().flat_map(|site| &site.effects).any(|effect| effect.waiting > 0) {
        print("What waits is decided with backend-sync sync brake approve or refuse --site NAME [--effect EFFECT].")?;
    }
    Ok(())
}

fn list(what: &str, records: &[BrakedRecordView], count: u64) -> Result<(), CliError> {
    for record in records {
        let by = record.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        print(format_args!("    {what}: {}:{} since {}{by}", record.kind, record.record, record.since))?;
    }
    let more = count.saturating_sub(records.len() as u64);
    if more > 0 { print(format_args!("    … and {more} more")) } else { Ok(()) }
}
