//! A large database is read for longer than PostgreSQL lets a transaction idle.

use backend_sync::store::copy::{CopiedTable, Stage, Watch, copy_database};

use super::fill;
use crate::support::Database;

on_postgres!(empty: no_transaction_idles_while_others_work);

/// Looks at the destination's sessions between the stages of a copy.
struct Sessions<'a> {
    destination: &'a Database,
    looks: usize,
}

impl Sessions<'_> {
    /// Only the transaction with the lock stays open, for which idling is allowed.
    fn look(&mut self) {
        let sql = "SELECT query FROM pg_stat_activity WHERE datname = current_database() \
                   AND state LIKE 'idle in transaction%' AND query NOT LIKE '%pg_advisory_xact_lock%'";
        // The copy waits meanwhile, and its runtime with it.
        let queries = std::thread::scope(|scope| {
            let look = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(self.destination.texts(sql))
            };
            scope.spawn(look).join().unwrap()
        });
        assert!(queries.is_empty(), "these sessions wait in a transaction: {queries:?}");
        self.looks += 1;
    }
}

impl Watch for Sessions<'_> {
    fn begin(&mut self, _: Stage, _: u64, _: u64) {
        self.look();
    }

    fn advance(&mut self, _: &str, _: u64) {}

    fn end(&mut self) {
        self.look();
    }
}

async fn no_transaction_idles_while_others_work(destination: Database) {
    let source = Database::sqlite();
    fill(&source, 10).await;
    let mut sessions = Sessions { destination: &destination, looks: 0 };
    let (from, to) = (source.url.parse().unwrap(), destination.url.parse().unwrap());
    let copied = copy_database(&from, &to, 4, &mut sessions).await.unwrap();
    assert!(copied.iter().all(CopiedTable::is_equal));
    assert_eq!(sessions.looks, 6);
}
