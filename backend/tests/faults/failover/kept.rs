//! Whether a database holds what was acknowledged.

use std::collections::{HashMap, HashSet};

use crate::{Failed, book::Pages, postgres::Sql};

/// What is wrong with what a database holds.
pub(crate) struct Kept {
    /// Events that were answered 200.
    pub(crate) acknowledged: usize,
    /// Those of them that are not there.
    pub(crate) lost: usize,
    /// Events that are there more than once.
    pub(crate) doubled: usize,
}

impl Kept {
    /// Compares the log of events with the books.
    pub(crate) async fn look(sql: &Sql, books: &[Pages]) -> Result<Self, Failed> {
        let ids = "SELECT CAST(client_id AS text) FROM events WHERE client_id IS NOT NULL";
        let mut times = HashMap::<String, usize>::new();
        for id in sql.values::<String>(ids).await? {
            *times.entry(id).or_default() += 1;
        }
        let doubled = times.values().filter(|times| **times > 1).count();
        // The original plugin's have no id: what counts is the place that the answer named, and whom the event there is about.
        let single = "SELECT id || ':' || moodle_id FROM events WHERE client_id IS NULL";
        let single: HashSet<String> = sql.values::<String>(single).await?.into_iter().collect();
        let (mut acknowledged, mut lost) = (0, 0);
        for event in books.iter().flat_map(|pages| &pages.sent) {
            let Some(first) = event.acknowledged.first() else { continue };
            acknowledged += 1;
            let there = match event.client_id {
                Some(id) => times.contains_key(&id.to_string()),
                None => single.contains(&format!("{}:{}", first.place, event.record)),
            };
            lost += usize::from(!there);
        }
        Ok(Self { acknowledged, lost, doubled })
    }
}
