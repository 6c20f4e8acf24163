//! Repeatable randomness: each test prints its seed.

use uuid::Uuid;

/// The environment variable with the seed to repeat.
const SEED_VARIABLE: &str = "IT_SEED";

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    /// The seed is from `IT_SEED` or the system; the output names it with `what`.
    pub(crate) fn announced(what: &str) -> Self {
        let seed = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| getrandom::u64().unwrap());
        eprintln!("{what}: {SEED_VARIABLE}={seed}");
        Self(seed)
    }

    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A new id, for events and everything else that must be unique.
pub(crate) fn new_uuid() -> Uuid {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    Uuid::from_bytes(bytes)
}
