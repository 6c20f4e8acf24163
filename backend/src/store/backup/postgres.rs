//! Backups of PostgreSQL by its own programs: an archive of `pg_dump`, with the manifest behind its end, where
//! `pg_restore` does not look.
//!
//! The manifest is of the same snapshot as the archive. A restore is one transaction of `psql`: the tables, the check of
//! their rows, and the beginning of a new life are there together or not at all.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use sea_orm::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, query_as, query_scalar};
use sha2::{Digest, Sha256};

use super::{BackupError, BackupProgress, Manifest, Occupied, libpq::Libpq, manifest::pump};
use crate::{
    clock::Timestamp,
    limits,
    store::{
        DatabaseUrl, Incarnation, Store,
        connection::postgres::{server::Server, settings::Access},
        copy::quoted,
        life::{new_incarnation, statements},
    },
};

/// The pause between two looks at who is connected.
const REST: Duration = Duration::from_millis(200);

const TABLES: &str = "SELECT tablename::text FROM pg_catalog.pg_tables WHERE schemaname = current_schema()";

pub(super) async fn write(
    url: &DatabaseUrl,
    part: &Path,
    now: Timestamp,
    progress: &BackupProgress,
) -> Result<Manifest, BackupError> {
    let server = Server::find(url).await?;
    let mut connection = server.connect(Access::Read).await?;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
                 SET LOCAL idle_in_transaction_session_timeout = 0";
    connection.execute(begin).await?;
    let snapshot: String = query_scalar("SELECT pg_export_snapshot()").fetch_one(&mut connection).await?;
    let mut manifest = describe(&mut connection, now).await?;
    let libpq = Libpq::new(url, &server)?;
    let mut dump = libpq.command("pg_dump");
    dump.args(["--format=custom", "--compress=1", "--no-owner", "--no-privileges", "--encoding=UTF8"]);
    dump.arg(format!("--snapshot={snapshot}"));
    dump.arg(format!("--table={}.*", quoted(manifest.schema.as_deref().unwrap_or_default())));
    let file = OpenOptions::new().write(true).open(part)?;
    let copied = std::thread::scope(|scope| {
        let copy = scope.spawn(|| dump_into(dump, file, &progress.done));
        tokio::task::block_in_place(|| copy.join())
    });
    manifest.sha256 = copied.map_err(|_| std::io::Error::other("a thread failed"))??;
    // The snapshot was needed until here.
    connection.close().await?;
    Ok(manifest)
}

fn dump_into(mut dump: Command, mut file: File, done: &AtomicU64) -> Result<String, BackupError> {
    let (mut running, errors) = start(dump.stdout(Stdio::piped()), "pg_dump")?;
    let mut hash = Sha256::new();
    if let Some(output) = running.stdout.take() {
        pump(output, |bytes| {
            hash.update(bytes);
            done.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            file.write_all(bytes)
        })?;
    }
    end(running, errors, "pg_dump")?;
    Ok(hex::encode(hash.finalize()))
}

/// Starts a program whose errors go to a file, so that it never waits for somebody to read them.
fn start(command: &mut Command, name: &'static str) -> Result<(Child, File), BackupError> {
    let errors = tempfile::tempfile()?;
    let child = command.stderr(errors.try_clone()?).spawn();
    let child = child.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => BackupError::NoProgram(name),
        _ => BackupError::Io(error),
    })?;
    Ok((child, errors))
}

/// Waits for its end.
fn end(mut child: Child, mut errors: File, name: &'static str) -> Result<(), BackupError> {
    if child.wait()?.success() {
        return Ok(());
    }
    let mut text = String::new();
    errors.seek(SeekFrom::Start(0))?;
    errors.read_to_string(&mut text)?;
    Err(BackupError::Program(name, text.trim().to_owned()))
}

async fn describe(connection: &mut PgConnection, now: Timestamp) -> Result<Manifest, BackupError> {
    let schema: String = query_scalar("SELECT current_schema()::text").fetch_one(&mut *connection).await?;
    let counter = async |connection: &mut PgConnection, name: &str| {
        query_scalar::<_, i64>("SELECT value FROM counters WHERE name = $1")
            .bind(name.to_owned())
            .fetch_one(connection)
            .await
    };
    let incarnation = Incarnation(counter(connection, "incarnation").await?);
    let position = counter(connection, "event").await?;
    let migrations: Vec<(String,)> =
        query_as("SELECT version FROM seaql_migrations").fetch_all(&mut *connection).await?;
    let names: Vec<(String,)> = query_as(TABLES).fetch_all(&mut *connection).await?;
    let mut tables = std::collections::BTreeMap::new();
    for (name,) in names {
        let sql = format!("SELECT count(*) FROM {}", quoted(&name));
        let count: i64 = query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        tables.insert(name, count.unsigned_abs());
    }
    Ok(Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now.0,
        incarnation: incarnation.to_string(),
        position,
        migrations: migrations.into_iter().map(|(name,)| name).collect(),
        tables,
        schema: Some(schema),
        sha256: String::new(),
        bytes: 0,
    })
}

pub(super) async fn what_is_there(url: &DatabaseUrl, manifest: &Manifest) -> Result<Occupied, BackupError> {
    let server = Server::find(url).await?;
    let mut connection = server.connect(Access::Read).await?;
    let here: Option<String> = query_scalar("SELECT current_schema()::text").fetch_one(&mut connection).await?;
    if here != manifest.schema {
        let (backup, here) = (manifest.schema.clone().unwrap_or_default(), here.unwrap_or_else(|| "(none)".to_owned()));
        return Err(BackupError::Schema { backup, here });
    }
    let tables: Vec<(String,)> = query_as(TABLES).fetch_all(&mut connection).await?;
    if tables.is_empty() {
        return Ok(Occupied::Nothing);
    }
    if let Some((other,)) = tables.into_iter().find(|(name,)| !manifest.tables.contains_key(name)) {
        return Err(BackupError::OtherTable(other));
    }
    let in_use = is_in_use(&mut connection).await?;
    connection.close().await?;
    if in_use { Err(BackupError::InUse(url.to_string())) } else { Ok(Occupied::Database) }
}

/// Whether others are connected. The sessions of a server that just stopped may need a moment to end.
async fn is_in_use(connection: &mut PgConnection) -> Result<bool, BackupError> {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
               AND backend_type = 'client backend'";
    let deadline = tokio::time::Instant::now() + limits::LOCK_WAIT;
    loop {
        let others: i64 = query_scalar(sql).fetch_one(&mut *connection).await?;
        if others == 0 || tokio::time::Instant::now() >= deadline {
            return Ok(others > 0);
        }
        tokio::time::sleep(REST).await;
    }
}

pub(super) async fn restore(
    url: &DatabaseUrl,
    file: &Path,
    manifest: &Manifest,
    now: Timestamp,
) -> Result<(), BackupError> {
    let server = Server::find(url).await?;
    let libpq = Libpq::new(url, &server)?;
    let schema = quoted(manifest.schema.as_deref().unwrap_or_default());
    let before = beginning(&schema, manifest);
    let after = ending(&schema, manifest, statements(new_incarnation()?, now, Some(manifest.made())));
    tokio::task::block_in_place(|| play(&libpq, file, &before, &after))?;
    let store = Store::connect(url).await?;
    let learned = async {
        store.migrate().await?;
        store.learn_from_register(now).await?;
        store.note_position(None).await
    };
    let learned = learned.await;
    store.close().await;
    learned?;
    Ok(())
}

/// Plays the archive into the database, between these statements.
fn play(libpq: &Libpq, file: &Path, before: &str, after: &str) -> Result<(), BackupError> {
    let mut command = libpq.command("psql");
    command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"]).stdin(Stdio::piped());
    let (mut psql, errors) = start(command.stdout(Stdio::null()), "psql")?;
    let fed = psql.stdin.take().map(|mut input| feed(&mut input, file, before, after));
    // Its own errors say more than that it no longer reads. Without COMMIT, its end rolls everything back.
    end(psql, errors, "psql")?;
    fed.unwrap_or(Ok(()))
}

fn feed(psql: &mut impl Write, file: &Path, before: &str, after: &str) -> Result<(), BackupError> {
    psql.write_all(before.as_bytes())?;
    let mut command = Command::new("pg_restore");
    command.args(["--no-owner", "--no-privileges", "--file=-"]).arg(file).stdin(Stdio::null()).stdout(Stdio::piped());
    let (mut restore, errors) = start(&mut command, "pg_restore")?;
    let pumped = restore.stdout.take().map(|output| pump(output, |bytes| psql.write_all(bytes)));
    end(restore, errors, "pg_restore")?;
    pumped.unwrap_or(Ok(()))?;
    psql.write_all(after.as_bytes())?;
    Ok(())
}

fn beginning(schema: &str, manifest: &Manifest) -> String {
    let drops = manifest.tables.keys().map(|name| format!("DROP TABLE IF EXISTS {schema}.{} CASCADE;\n", quoted(name)));
    // It waits for the archive, and the server or role may have limits of its own: that of idling even counts between
    // BEGIN and the next line.
    let patient = "SET client_min_messages = warning;\nSET idle_in_transaction_session_timeout = 0;\n";
    format!("{patient}BEGIN;\nSET LOCAL statement_timeout = 0;\n{}", drops.collect::<String>())
}

fn ending(schema: &str, manifest: &Manifest, life: Vec<String>) -> String {
    let mut text = format!("\nSET search_path = {schema};\nDO $check$\nBEGIN\n");
    for (name, rows) in &manifest.tables {
        let table = quoted(name);
        text += &format!(
            "IF (SELECT count(*) FROM {table}) <> {rows} THEN RAISE EXCEPTION 'the table {name} does not have {rows} \
             rows'; END IF;\n"
        );
    }
    text += "END\n$check$;\n";
    for statement in life {
        text += &format!("{statement};\n");
    }
    text + "COMMIT;\nANALYZE;\n"
}
