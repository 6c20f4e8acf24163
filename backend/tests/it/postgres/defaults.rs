//! Defaults of the database, as of a role, that would break a promise if they held for us.

use crate::support::{Database, Server, events::user_event};

on_postgres!(defaults_of_the_database_break_nothing);

/// Each of them, alone, refused events, stopped a copy, or lost what was answered 200. The times are long enough for the
/// first message of a session, which cannot set them yet, on a busy machine.
const DEFAULTS: [&str; 7] = [
    "default_transaction_isolation = 'repeatable read'",
    "statement_timeout = '2s'",
    "idle_in_transaction_session_timeout = '2s'",
    "lock_timeout = '10ms'",
    "synchronous_commit = off",
    "client_min_messages = error",
    "bytea_output = 'escape'",
];

/// For all sessions that begin later.
pub(super) async fn spoil_defaults(database: &Database) {
    let name = database.texts("SELECT current_database()::text").await.remove(0).unwrap();
    let spoil = DEFAULTS.map(|default| format!("ALTER DATABASE {name} SET {default}"));
    database.execute(&spoil.join("; ")).await;
}

/// From now on the database itself refuses users that are stored in a session without our settings.
pub(super) async fn check_settings(database: &Database) {
    database
        .execute(
            "CREATE FUNCTION check_settings() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF current_setting('synchronous_commit') <> 'on' OR current_setting('transaction_isolation') <> 'read committed' \
             OR current_setting('client_min_messages') <> 'warning' OR current_setting('statement_timeout') <> '0' \
             OR current_setting('lock_timeout') <> '5s' OR current_setting('idle_in_transaction_session_timeout') <> '1min' \
             THEN RAISE EXCEPTION 'settings were lost'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER check_settings BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION check_settings()",
        )
        .await;
}

async fn defaults_of_the_database_break_nothing(database: Database) {
    check_settings(&database).await;
    spoil_defaults(&database).await;
    let [server, other] = Server::start_together(&database).await;
    let (one, two) = (server.site(), other.site());
    for round in 0..10 {
        let events = |first: i64| (first..first + 20).map(|id| user_event(id, &format!("u{id}"))).collect::<Vec<_>>();
        let (own, others) = (events(1 + round * 40), events(21 + round * 40));
        tokio::join!(one.apply(&own), two.apply(&others));
    }
    server.stop().await;
    other.stop().await;
}
