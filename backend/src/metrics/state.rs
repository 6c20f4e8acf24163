//! The metrics that come from the database, as of the last read.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
};

use super::family::{FloatGauge, Registering};
use crate::{
    clock::Timestamp,
    model::{Effect, FindingSort, FindingState, ItemState, Kind},
    store::{Comparison, Counts, DestinationSummary, FindingCount, PoolUse, ProofState, WatchState},
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PoolLabels {
    pool: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DestinationLabels {
    destination: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ItemLabels {
    destination: String,
    kind: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    destination: String,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabels {
    destination: String,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HoldLabels {
    destination: String,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BrakeLabels {
    site: String,
    effect: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SiteKindLabels {
    site: String,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CauseLabels {
    destination: String,
    cause: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FindingLabels {
    destination: String,
    kind: &'static str,
    sort: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct NoLabels {}

/// The causes of pauses.
const CAUSES: [&str; 5] = ["operator", "credentials", "configuration", "organisation", "credits"];

/// States in which a change is not at the destination yet.
const UNDELIVERED: [ItemState; 4] = [ItemState::Pending, ItemState::InFlight, ItemState::Parked, ItemState::Failed];

/// How long a reported number of credits is shown. Zoho stops reporting it once there are plenty again.
const CREDITS_TIME: Duration = Duration::from_secs(60 * 60);

#[derive(Debug)]
pub(super) struct StateMetrics {
    up: Gauge,
    size: Gauge,
    connections: Family<PoolLabels, Gauge>,
    items: Family<ItemLabels, Gauge>,
    remarks: Family<KindLabels, Gauge>,
    oldest: Family<StateLabels, FloatGauge>,
    credits: Family<DestinationLabels, Gauge>,
    paused: Family<CauseLabels, Gauge>,
    held: Family<HoldLabels, Gauge>,
    braked: Family<BrakeLabels, Gauge>,
    parity: Family<SiteKindLabels, Gauge>,
    findings: Family<FindingLabels, Gauge>,
    last_look: Family<DestinationLabels, Gauge>,
    last_proof: Family<DestinationLabels, Gauge>,
    conservation: Family<DestinationLabels, Gauge>,
    audit_age: Family<DestinationLabels, FloatGauge>,
    // A family, because it has no value before the first backup.
    last_backup: Family<NoLabels, Gauge>,
}

impl StateMetrics {
    pub(super) fn new(registry: &mut Registering<'_>) -> Self {
        let new = Self {
            up: Gauge::default(),
            size: Gauge::default(),
            connections: Family::default(),
            items: Family::default(),
            remarks: Family::default(),
            oldest: Family::default(),
            credits: Family::default(),
            paused: Family::default(),
            held: Family::default(),
            braked: Family::default(),
            parity: Family::default(),
            findings: Family::default(),
            last_look: Family::default(),
            last_proof: Family::default(),
            conservation: Family::default(),
            audit_age: Family::default(),
            last_backup: Family::default(),
        };
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.add("build_info", "The version of the backend; always 1", &build);
        registry.add(
            "database_up",
            "Whether the database answered the last request for metrics, and takes this process's writes",
            &new.up,
        );
        registry.add_bytes("database_size", "Size of the database; for SQLite, without its write-ahead log", &new.size);
        registry.add("database_connections", "Connections of this process to the database", &new.connections);
        registry.add("items", "Sync items, by destination, kind and state", &new.items);
        registry.add("items_with_remarks", "Synced items of which an optional value was left out", &new.remarks);
        registry.add_seconds("oldest_change", "How long the oldest change in this state has waited", &new.oldest);
        registry.add("credits_left", "API credits left, as last reported by the destination", &new.credits);
        registry.add("paused", "Whether the destination is paused for this cause", &new.paused);
        registry.add("held", "Whether records of this kind, or the new ones among them, are held", &new.held);
        registry.add(
            "parity_differing",
            "Records that differed from Moodle at the last comparison, after repair",
            &new.parity,
        );
        registry.add(
            "findings",
            "Records that differ at the destination from what the mapping writes, by what becomes of them",
            &new.findings,
        );
        registry.add_seconds(
            "last_look_timestamp",
            "Unix time of the last look at what others changed at the destination",
            &new.last_look,
        );
        registry.add_seconds(
            "last_proof_timestamp",
            "Unix time at which the last comparison of all records with the destination ended",
            &new.last_proof,
        );
        registry.add("braked", "Effects that cannot be undone and wait for a person's decision", &new.braked);
        registry.add(
            "conservation_ok",
            "Whether the last audit found every record in exactly one state",
            &new.conservation,
        );
        registry.add_seconds("conservation_age", "Time since the last audit", &new.audit_age);
        registry.add_seconds(
            "last_backup_timestamp",
            "Unix time of the last backup that backend-sync backup made",
            &new.last_backup,
        );
        new
    }

    /// The database does not answer. Its old values may be wrong by now, so they are cleared.
    pub(super) fn unreachable(&self) {
        self.up.set(0);
        self.items.clear();
        self.remarks.clear();
        self.oldest.clear();
        self.credits.clear();
        self.paused.clear();
        self.held.clear();
        self.braked.clear();
        self.parity.clear();
        self.findings.clear();
        self.last_look.clear();
        self.last_proof.clear();
        self.conservation.clear();
        self.audit_age.clear();
        self.last_backup.clear();
    }

    /// The database answers; that it accepts events does not follow.
    pub(super) fn answers(&self, accepts_events: bool) {
        self.up.set(i64::from(accepts_events));
    }

    pub(super) fn braked(&self, site: &str, waiting: impl Fn(Effect) -> u64) {
        for effect in Effect::ALL.iter().copied() {
            let labels = BrakeLabels { site: site.to_owned(), effect: effect.as_str() };
            self.braked.get_or_create(&labels).set(whole(waiting(effect)));
        }
    }

    pub(super) fn parity(&self, site: &str, found: &Comparison) {
        let labels = SiteKindLabels { site: site.to_owned(), kind: found.kind.as_str() };
        self.parity
            .get_or_create(&labels)
            .set(found.differing.max((found.moodle_records - found.backend_records).abs()));
    }

    pub(super) fn findings(&self, destination: &str, counts: &[FindingCount]) {
        for (kind, sort) in
            Kind::ALL.into_iter().flat_map(|kind| FindingSort::ALL.iter().map(move |sort| (kind, *sort)))
        {
            for state in [FindingState::Open, FindingState::Restoring, FindingState::Left] {
                let is_it = |count: &&FindingCount| (count.kind, count.sort, count.state) == (kind, sort, state);
                let count = counts.iter().find(is_it).map_or(0, |count| count.count);
                let (kind, sort, state) = (kind.as_str(), sort.as_str(), state.as_str());
                let labels = FindingLabels { destination: destination.to_owned(), kind, sort, state };
                self.findings.get_or_create(&labels).set(whole(count));
            }
        }
    }

    pub(super) fn compared(&self, destination: &str, watch: &WatchState, proof: &ProofState) {
        let labels = DestinationLabels { destination: destination.to_owned() };
        if let Some(at) = watch.ended_at.filter(|_| watch.failure.is_none()) {
            self.last_look.get_or_create(&labels).set(at.div_euclid(1_000));
        }
        if let Some(at) = proof.ended_at {
            self.last_proof.get_or_create(&labels).set(at.div_euclid(1_000));
        }
    }

    pub(super) fn last_backup(&self, at: Timestamp) {
        self.last_backup.get_or_create(&NoLabels {}).set(at.0.div_euclid(1_000));
    }

    pub(super) fn size(&self, size: u64) {
        self.size.set(whole(size));
    }

    pub(super) fn connections(&self, pools: &[PoolUse]) {
        for PoolUse { pool, used, idle } in pools {
            for (state, count) in [("used", used), ("idle", idle)] {
                self.connections.get_or_create(&PoolLabels { pool, state }).set(i64::from(*count));
            }
        }
    }

    pub(super) fn destination(&self, found: &DestinationSummary, counts: &[Counts], now: Timestamp) {
        for kind in Kind::ALL {
            for state in ItemState::ALL {
                let counted = counts.iter().find(|counts| (counts.kind, counts.state) == (kind, state));
                let (kind, state) = (kind.as_str(), state.as_str());
                let labels = ItemLabels { destination: found.name.clone(), kind, state };
                self.items.get_or_create(&labels).set(whole(counted.map_or(0, |counts| counts.count)));
            }
            let synced = counts.iter().find(|counts| (counts.kind, counts.state) == (kind, ItemState::Synced));
            let labels = KindLabels { destination: found.name.clone(), kind: kind.as_str() };
            self.remarks.get_or_create(&labels).set(whole(synced.map_or(0, |counts| counts.with_remarks)));
        }
        for state in UNDELIVERED {
            let oldest = counts.iter().filter(|counts| counts.state == state).map(|counts| counts.oldest).min();
            let labels = StateLabels { destination: found.name.clone(), state: state.as_str() };
            self.oldest.get_or_create(&labels).set(oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64()));
        }
        for cause in CAUSES {
            let paused = found.pause.as_ref().is_some_and(|pause| pause.cause == cause);
            let labels = CauseLabels { destination: found.name.clone(), cause };
            self.paused.get_or_create(&labels).set(i64::from(paused));
        }
        for kind in Kind::ALL {
            let held = found.holds.iter().any(|hold| hold.kind == kind);
            let labels = HoldLabels { destination: found.name.clone(), kind: kind.as_str() };
            self.held.get_or_create(&labels).set(i64::from(held));
        }
        let labels = DestinationLabels { destination: found.name.clone() };
        match found.credits {
            Some((left, at)) if now.since(at) <= CREDITS_TIME => _ = self.credits.get_or_create(&labels).set(left),
            _ => _ = self.credits.remove(&labels),
        }
        if let Some((audit, at)) = found.audit {
            self.conservation.get_or_create(&labels).set(i64::from(audit.holds()));
            self.audit_age.get_or_create(&labels).set(now.since(at).as_secs_f64());
        }
    }
}

/// Converts a count to a gauge's type.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
