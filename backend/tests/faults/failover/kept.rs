//! Whether a database holds all acknowledged events.

use std::collections::{HashMap, HashSet};

use crate::{Failed, book::Pages, postgres::Sql};

/// The differences between a database and the books.
pub(crate) struct Kept {
    /// Events answered 200.
    pub(crate) acknowledged: usize,
    /// Those of them that are missing.
    pub(crate) lost: usize,
    /// Events stored more than once.
    pub(crate) doubled: usize,
}

impl Kept {
    /// Compares the event log with the books.
    pub(crate) async fn compare(sql: &Sql, books: &[Pages]) -> Result<Self, Failed> {
        let ids = "SELECT CAST(client_id AS text) FROM events WHERE client_id IS NOT NULL";
        let mut times = HashMap::<String, usize>::new();
        for id in sql.values::<String>(ids).await? {
            *times.entry(id).or_default() += 1;
        }
        let doubled = times.values().filter(|times| **times > 1).count();
        // The original plugin's events have no id: compare the position from the answer, and the user of the event
        // there.
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
