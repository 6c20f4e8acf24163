//! Another process holds the database.

use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

use crate::{
    fault::{Fault, Group, Kind, StepFuture},
    world::World,
};

pub(super) fn kinds() -> Vec<Kind> {
    let lock = Kind {
        name: "locked",
        // A missing file cannot be locked.
        group: Group::Files,
        needs: &[],
        alone: Duration::from_secs(20),
        // Longer than a writer waits for a lock.
        combined: 5_500..=9_000,
        make: |_| Box::new(Lock::default()),
    };
    vec![lock]
}

/// How long the harness tries to get the lock.
const PATIENCE: Duration = Duration::from_secs(10);

/// In WAL mode, `BEGIN EXCLUSIVE` is the same.
#[derive(Default)]
struct Lock {
    held: Option<DatabaseConnection>,
    since: Option<Instant>,
}

impl Fault for Lock {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            let mut options = ConnectOptions::new(world.own_url().await);
            options.max_connections(1).min_connections(1).sqlx_logging(false);
            options.map_sqlx_sqlite_opts(|options| options.busy_timeout(PATIENCE));
            let connection = Database::connect(options).await?;
            connection.execute_unprepared("BEGIN IMMEDIATE").await?;
            self.held = Some(connection);
            self.since = Some(Instant::now());
            Ok(())
        })
    }

    fn end<'a>(&'a mut self, _: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            let Some(connection) = self.held.take() else { return Ok(()) };
            connection.execute_unprepared("ROLLBACK").await?;
            Ok(connection.close().await?)
        })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async { Ok(self.since.and_then(|since| world.observed_since(since))) })
    }
}
