//! Backups of SQLite: a copy that SQLite makes while the server writes, as a database of its own with the manifest behind
//! its last page, where SQLite does not look.
//!
//! `VACUUM INTO` reads one snapshot and never waits for the writer, nor the writer for it; the online backup interface
//! would begin anew with each write of another process. Until it is done, the write-ahead log grows.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path, sync::atomic::Ordering, time::Duration};

use sea_orm::sqlx::{
    AssertSqlSafe, Connection, SqliteConnection, query, query_as, query_scalar,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use tempfile::NamedTempFile;

use super::{BackupError, BackupProgress, Manifest, Occupied, manifest::checksum};
use crate::{
    clock::Timestamp,
    store::{
        DatabaseUrl, Incarnation, NoDatabase, Store,
        connection::{connect::sqlite_options, file::beside, postgres::settings::Access, set_up::MADE},
        copy::{CopyError, CopySource},
        register::{folder_of, sync_folder},
    },
};

/// The pause between two looks at how far the copy is.
const LOOK: Duration = Duration::from_millis(500);

const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^'";

fn plain(path: &Path) -> SqliteConnectOptions {
    // The copy is nobody's yet: no journal is needed, and no file beside it.
    SqliteConnectOptions::new().filename(path).create_if_missing(false).journal_mode(SqliteJournalMode::Memory)
}

pub(super) async fn write(
    database: &Path,
    part: &Path,
    now: Timestamp,
    progress: &BackupProgress,
) -> Result<Manifest, BackupError> {
    if !database.exists() {
        return Err(BackupError::NoDatabase(database.to_owned()));
    }
    let mut source = SqliteConnection::connect_with(&sqlite_options(database, Access::Write)).await?;
    let pages = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    let bytes: i64 = query_scalar(pages).fetch_one(&mut source).await?;
    progress.total.store(bytes.unsigned_abs(), Ordering::Relaxed);
    let copy = async {
        let into = part.to_string_lossy().into_owned();
        query("VACUUM INTO ?").bind(into).execute(&mut source).await
    };
    let look = async {
        loop {
            tokio::time::sleep(LOOK).await;
            let written = std::fs::metadata(part).map(|found| found.len()).unwrap_or_default();
            progress.done.store(written, Ordering::Relaxed);
        }
    };
    tokio::select! {
        copied = copy => { copied?; }
        () = look => {}
    }
    source.close().await?;
    let mut copy = SqliteConnection::connect_with(&plain(part)).await?;
    let manifest = describe(&mut copy, now).await?;
    copy.close().await?;
    Ok(Manifest { sha256: checksum(part)?, ..manifest })
}

async fn describe(copy: &mut SqliteConnection, now: Timestamp) -> Result<Manifest, BackupError> {
    let counter = async |copy: &mut SqliteConnection, name: &str| {
        query_scalar("SELECT value FROM counters WHERE name = ?").bind(name.to_owned()).fetch_one(copy).await
    };
    let (incarnation, position) = (counter(copy, "incarnation").await?, counter(copy, "event").await?);
    let migrations: Vec<(String,)> = query_as("SELECT version FROM seaql_migrations").fetch_all(&mut *copy).await?;
    Ok(Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now.0,
        incarnation: Incarnation(incarnation).to_string(),
        position,
        migrations: migrations.into_iter().map(|(name,)| name).collect(),
        tables: counts(copy).await?,
        schema: None,
        sha256: String::new(),
        bytes: 0,
    })
}

async fn counts(copy: &mut SqliteConnection) -> Result<BTreeMap<String, u64>, BackupError> {
    let names: Vec<(String,)> = query_as(TABLES).fetch_all(&mut *copy).await?;
    let mut counts = BTreeMap::new();
    for (name,) in names {
        let sql = format!("SELECT count(*) FROM \"{name}\"");
        let count: i64 = query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *copy).await?;
        counts.insert(name, count.unsigned_abs());
    }
    Ok(counts)
}

pub(super) async fn what_is_there(path: &Path) -> Result<Occupied, BackupError> {
    if !path.exists() {
        return Ok(Occupied::Nothing);
    }
    let mut source = exclusive(path).await?;
    let tables: Vec<(String,)> = query_as(TABLES).fetch_all(source.connection()).await?;
    source.close().await.map_err(|error| in_use(path, error))?;
    Ok(if tables.is_empty() { Occupied::Nothing } else { Occupied::Database })
}

/// Opens it if nobody else has it open.
async fn exclusive(path: &Path) -> Result<CopySource, BackupError> {
    CopySource::open(path).await.map_err(|error| in_use(path, error))
}

fn in_use(path: &Path, error: CopyError) -> BackupError {
    match error {
        CopyError::Source(error) => BackupError::Sql(error),
        _ => BackupError::InUse(path.display().to_string()),
    }
}

pub(super) async fn restore(
    url: &DatabaseUrl,
    path: &Path,
    file: &Path,
    manifest: &Manifest,
    now: Timestamp,
) -> Result<(), BackupError> {
    let cannot = |error| BackupError::Write(path.to_owned(), error);
    std::fs::create_dir_all(folder_of(path)).map_err(cannot)?;
    let mut part = NamedTempFile::new_in(folder_of(path)).map_err(cannot)?;
    let backup = File::open(file).map_err(|error| BackupError::Read(file.to_owned(), error))?;
    std::io::copy(&mut backup.take(manifest.bytes), part.as_file_mut()).map_err(cannot)?;
    check(part.path(), manifest).await?;
    begin_life(url, part.path(), manifest, now).await?;
    part.as_file().sync_all().map_err(cannot)?;
    if path.exists() {
        // Also folds its log into it: what belonged to the old file must not be applied to the new one.
        exclusive(path).await?.close().await.map_err(|error| in_use(path, error))?;
    }
    for ending in ["-wal", "-shm", MADE] {
        match std::fs::remove_file(beside(path, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
            _ => {}
        }
    }
    part.persist(path).map_err(|error| cannot(error.error))?;
    sync_folder(path).map_err(cannot)?;
    let (store, _) = Store::open(url, NoDatabase::Create).await?;
    let noted = store.note_position(None).await;
    store.close().await;
    noted?;
    Ok(())
}

/// Whether the copy is sound and has what the manifest says.
async fn check(part: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let mut copy = SqliteConnection::connect_with(&plain(part)).await?;
    let found: String = query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut copy).await?;
    if found != "ok" {
        return Err(BackupError::Damaged(found));
    }
    let counts = counts(&mut copy).await?;
    if let Some((name, rows)) = manifest.tables.iter().find(|(name, rows)| counts.get(*name) != Some(rows)) {
        let found = counts.get(name).copied().unwrap_or_default();
        return Err(BackupError::Damaged(format!("{name} has {found} rows instead of {rows}")));
    }
    copy.close().await?;
    Ok(())
}

/// Makes the copy the database that it will be, before it takes its place.
async fn begin_life(url: &DatabaseUrl, part: &Path, manifest: &Manifest, now: Timestamp) -> Result<(), BackupError> {
    let own = url.at(part);
    let store = Store::connect(&own).await?;
    let begun = async {
        store.migrate().await?;
        store.begin_life(now, Some(manifest.made())).await?;
        store.learn_from_register(now).await
    };
    let begun = begun.await;
    store.close().await;
    let reapplied = begun?;
    tracing::debug!(?reapplied, "a restored database learned from the register");
    Ok(())
}
