//! Fault rules: which calls fail, and how.

use serde::Deserialize;

use super::call::{Call, Operation};

/// The default time for which a call that times out holds the connection: longer than any client waits.
const TIMEOUT_MS: u64 = 60_000;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    Unauthorized,
    TooManyRequests,
    LimitExceeded,
    InternalError,
    BadGatewayHtml,
    ServiceUnavailableHtml,
    TimeoutBeforeCommit,
    TimeoutAfterCommit,
    TruncatedJson,
    Slow,
    RecordLocked,
    #[serde(rename = "partial_200")]
    Partial200,
    #[serde(rename = "partial_207")]
    Partial207,
    NoPermission,
    ScopeMismatch,
    InvalidModule,
    ConnectionReset,
}

impl Fault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::TooManyRequests => "too_many_requests",
            Self::LimitExceeded => "limit_exceeded",
            Self::InternalError => "internal_error",
            Self::BadGatewayHtml => "bad_gateway_html",
            Self::ServiceUnavailableHtml => "service_unavailable_html",
            Self::TimeoutBeforeCommit => "timeout_before_commit",
            Self::TimeoutAfterCommit => "timeout_after_commit",
            Self::TruncatedJson => "truncated_json",
            Self::Slow => "slow",
            Self::RecordLocked => "record_locked",
            Self::Partial200 => "partial_200",
            Self::Partial207 => "partial_207",
            Self::NoPermission => "no_permission",
            Self::ScopeMismatch => "scope_mismatch",
            Self::InvalidModule => "invalid_module",
            Self::ConnectionReset => "connection_reset",
        }
    }
}

/// Selects the calls of a rule. All given conditions must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Match {
    /// The nth matching call, from 1; with `times`, that many calls from there on.
    nth: Option<u64>,
    /// Every nth matching call.
    every: Option<u64>,
    /// The most times that the fault happens.
    times: Option<u64>,
    /// The probability, with random numbers from `seed`.
    chance: Option<f64>,
    seed: u64,
    method: Option<String>,
    /// A substring of the path.
    path: Option<String>,
    operation: Option<Operation>,
    module: Option<String>,
    /// A value of any field of any record, or in the URL or a query.
    key: Option<String>,
}

/// A rule as a test sends it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultRule {
    #[serde(default, rename = "match")]
    matching: Match,
    fault: Fault,
    #[serde(default)]
    delay_ms: Option<u64>,
}

/// A fault that happens to a call.
#[derive(Clone, Debug)]
pub(super) struct InjectedFault {
    pub(super) fault: Fault,
    pub(super) delay_ms: u64,
    key: Option<String>,
}

impl InjectedFault {
    /// Which records of the call fail, if the fault concerns records.
    pub(super) fn records(&self) -> Option<RecordFault> {
        match self.fault {
            Fault::RecordLocked => Some(RecordFault { key: self.key.clone(), every_second: false }),
            Fault::Partial200 | Fault::Partial207 => Some(RecordFault { key: self.key.clone(), every_second: true }),
            _ => None,
        }
    }
}

/// Which records of a call fail: those with the key; without a key, all or every second one.
#[derive(Clone, Debug)]
pub(super) struct RecordFault {
    key: Option<String>,
    every_second: bool,
}

impl RecordFault {
    pub(super) fn hits(&self, place: usize, has: impl Fn(&str) -> bool) -> bool {
        match &self.key {
            Some(key) => has(key),
            None => !self.every_second || place % 2 == 1,
        }
    }
}

struct ActiveRule {
    id: u64,
    rule: FaultRule,
    seen: u64,
    fired: u64,
    random: u64,
}

/// The active rules.
#[derive(Default)]
pub(super) struct Faults {
    rules: Vec<ActiveRule>,
    last: u64,
}

impl Faults {
    /// Adds rules after the existing ones; returns their numbers.
    pub(super) fn add(&mut self, rules: Vec<FaultRule>) -> Vec<u64> {
        let first = self.last + 1;
        for rule in rules {
            self.last += 1;
            let random = rule.matching.seed;
            self.rules.push(ActiveRule { id: self.last, rule, seen: 0, fired: 0, random });
        }
        (first..=self.last).collect()
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules' numbers and faults, and how often each has happened.
    pub(super) fn counts(&self) -> Vec<(u64, &'static str, u64)> {
        self.rules.iter().map(|armed| (armed.id, armed.rule.fault.name(), armed.fired)).collect()
    }

    /// The fault of this call: that of the first rule that is due. Every rule counts all calls that match it.
    pub(super) fn strike(&mut self, call: &Call) -> Option<InjectedFault> {
        let mut struck = None;
        for armed in &mut self.rules {
            if !armed.rule.matching.fits(call) {
                continue;
            }
            armed.seen += 1;
            if armed.is_due() && struck.is_none() {
                armed.fired += 1;
                struck = Some(armed.fired());
            }
        }
        struck
    }
}

impl Match {
    fn fits(&self, call: &Call) -> bool {
        self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(call.method.as_str()))
            && self.path.as_deref().is_none_or(|path| call.path.contains(path))
            && self.operation.is_none_or(|operation| operation == call.operation)
            && self.module.as_deref().is_none_or(|module| call.module.as_deref() == Some(module))
            && self.key.as_deref().is_none_or(|key| call.mentions(key))
    }
}

impl ActiveRule {
    fn is_due(&mut self) -> bool {
        let Match { nth, every, times, chance, .. } = self.rule.matching;
        let lucky = chance.is_none_or(|chance| self.random() < chance);
        let times_left = match nth {
            Some(_) => times.unwrap_or(1),
            None => times.unwrap_or(u64::MAX),
        };
        self.fired < times_left
            && nth.is_none_or(|nth| self.seen >= nth)
            && every.is_none_or(|every| every > 0 && self.seen.is_multiple_of(every))
            && lucky
    }

    /// A random number from 0 to 1, by splitmix64: the same seed gives the same faults.
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn fired(&self) -> InjectedFault {
        let fault = self.rule.fault;
        let default = match fault {
            Fault::TimeoutBeforeCommit | Fault::TimeoutAfterCommit => TIMEOUT_MS,
            _ => 0,
        };
        InjectedFault { fault, delay_ms: self.rule.delay_ms.unwrap_or(default), key: self.rule.matching.key.clone() }
    }
}
