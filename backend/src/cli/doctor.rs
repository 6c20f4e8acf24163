//! `backend-sync doctor`

use std::time::Duration;

use super::{CliError, counted, print};
use crate::{
    clock::{Clock, Timestamp, judge::duration_in_words},
    config::{Config, ConfigError},
    live::read_mapping,
    store::{DatabaseUrl, Extent, Longest, RegisterState, Store, StoreError},
    timekeeper,
    views::{FirstDaySettings, FirstDayStep, first_day},
};

/// With less free space, the database will soon be full: 1 GiB.
const LEAST_FREE_BYTES: u64 = 1024 * 1024 * 1024;

/// A larger difference between two clocks shows in the times that people see.
const MOST_SKEW_SECONDS: i64 = 5;

/// The name of a check, and of a step of the first day.
const BACKUP: &str = "backup";

/// What was found, or what is wrong and what to do.
type Check = Result<String, String>;

pub(super) async fn run(config: Result<Config, ConfigError>) -> Result<(), CliError> {
    let mut failed = 0;
    let mut steps = Vec::new();
    let mut report = |name: &str, check: &Check| {
        let (mark, text) = match check {
            Ok(text) => ("ok    ", text),
            Err(text) => ("FAILED", text),
        };
        failed += usize::from(check.is_err());
        print(format_args!("{mark}  {name:<13}  {text}"))
    };
    match config {
        Err(error) => report("configuration", &Err(error.to_string()))?,
        Ok(config) => {
            report("configuration", &Ok(format!("listens on {}", config.listen)))?;
            let (checks, found) = database(&config).await;
            for (name, check) in checks {
                report(name, &check)?;
            }
            steps = found;
            report("disk", &disk(&config.database_url))?;
            report("zoho", &zoho(&config))?;
        }
    }
    show_first_day(&steps)?;
    if failed == 0 { Ok(()) } else { Err(CliError::Unhealthy(failed)) }
}

/// What is still to be done on the first day. None of it is a fault.
fn show_first_day(steps: &[FirstDayStep]) -> Result<(), CliError> {
    let open: Vec<_> = steps.iter().filter(|step| !step.done).collect();
    if open.is_empty() {
        return Ok(());
    }
    print(format_args!("\nStill to do, {} of {}:", open.len(), steps.len()))?;
    open.iter().try_for_each(|step| print(format_args!("to do   {:<13}  {}", step.name, step.text)))
}

/// The checks of the database, and what it knows about the first day.
async fn database(config: &Config) -> (Vec<(&'static str, Check)>, Vec<FirstDayStep>) {
    let url = &config.database_url;
    // Connecting would create a missing file.
    if let Some(path) = url.sqlite_path().filter(|path| !path.exists()) {
        let missing = format!("{} does not exist yet; backend-sync serve creates it", path.display());
        return (vec![("database", Err(missing))], Vec::new());
    }
    let (store, name, seconds) = match connect(url).await {
        Ok(found) => found,
        Err(error) => {
            let (_, _, advice) = error.cause().in_words();
            return (vec![("database", Err(format!("{url}: {error}. {advice}")))], Vec::new());
        }
    };
    let migrations = match store.missing_migrations().await {
        Ok(0) => match store.unknown_migrations().await {
            Ok(unknown) if unknown.is_empty() => Ok("all applied".to_owned()),
            Ok(unknown) => Err(format!("a newer version made {}; use that version", unknown.join(", "))),
            Err(error) => Err(error.to_string()),
        },
        Ok(count) => Err(format!("{count} missing; run backend-sync migrate")),
        Err(error) => Err(error.to_string()),
    };
    let now = Clock::system().now();
    let skew = (now.0 / 1000 - seconds).abs();
    let clock = match skew <= MOST_SKEW_SECONDS {
        true => Ok(format!("{} ({skew} s from the database's)", now.to_rfc3339())),
        false => Err(format!("{skew} s from the database's; run a time service such as chrony on both machines")),
    };
    let is_migrated = migrations.is_ok();
    let writing = match store.try_write(true).await {
        Ok(()) => Ok("an event can be stored".to_owned()),
        Err(error) => Err(format!("{} ({error})", error.cause().sentence())),
    };
    let database = Ok(format!("{name} at {url}"));
    let mut checks = vec![("database", database), ("migrations", migrations), ("writing", writing), ("clock", clock)];
    let mut steps = Vec::new();
    if is_migrated {
        match time(config, &store).await {
            Ok(more) => checks.extend(more),
            Err(error) => checks.push(("time", Err(error.to_string()))),
        }
        let register = register(&store, url).await.unwrap_or_else(|error| Err(error.to_string()));
        checks.push(("register", register));
        match first_day(&FirstDaySettings::new(config), &store, now).await {
            Ok(found) => steps = found,
            Err(error) => checks.push(("first day", Err(error.to_string()))),
        }
        let backup = backup(config, &store, now).await.unwrap_or_else(|error| Err(error.to_string()));
        // Said once: that one is late is a fault, that there is none yet is still to do.
        if backup.is_err() {
            steps.retain(|step| step.name != BACKUP);
        }
        if steps.iter().all(|step| step.done || step.name != BACKUP) {
            checks.push((BACKUP, backup));
        }
    }
    store.close().await;
    (checks, steps)
}

/// Whether the time is agreed, and what a wrong clock left behind.
async fn time(config: &Config, store: &Store) -> Result<[(&'static str, Check); 3], StoreError> {
    let (_, start) = timekeeper::read_clocks(store).await?;
    let agreed = match start.disagreement() {
        None => Ok("agreed".to_owned()),
        Some(doubt) => Err(format!(
            "not agreed: {doubt}; until it is, nothing is deleted or erased because of its age; see backend-sync clock"
        )),
    };
    // The clock that the server follows, even if its time went back.
    let now = start.database.unwrap_or(start.machine);
    let times = store.future_times(now, &Longest::from(config), Extent::All).await?;
    let times: Vec<String> = times
        .into_iter()
        .map(|found| {
            format!(
                "{} {} ({}), up to {} ahead",
                found.count,
                found.what,
                found.place,
                duration_in_words(found.furthest.since(now))
            )
        })
        .collect();
    let times = match times.is_empty() {
        true => Ok("none lies in the future".to_owned()),
        false => Err(format!(
            "{}; a clock was wrong when they were written: backend-sync clock repair sets them to now",
            times.join("; ")
        )),
    };
    let versions: Vec<String> = store
        .future_versions(now)
        .await?
        .into_iter()
        .map(|found| format!("{} in {} of {}", found.count, found.table, found.site))
        .collect();
    let versions = match versions.is_empty() {
        true => Ok("none lies in the future".to_owned()),
        false => Err(format!(
            "{} lie in the future, so no real change replaces these records; when Moodle's clock is right again, run backend-sync site \
             repair-versions NAME",
            versions.join(", ")
        )),
    };
    Ok([("time", agreed), ("stored times", times), ("versions", versions)])
}

/// Whether what people decided outlives a restore.
async fn register(store: &Store, url: &DatabaseUrl) -> Result<Check, StoreError> {
    let path = url.register().map(|path| path.display().to_string()).unwrap_or_default();
    Ok(match store.register_state().await? {
        RegisterState::Kept(people, tokens, adoptions) => {
            let (people, tokens) = (counted(people as u64, "erasure"), counted(tokens as u64, "revoked token"));
            Ok(format!("{people}, {tokens} and {} in {path}", counted(adoptions as u64, "decided adoption")))
        }
        RegisterState::Missing(0) => Ok(format!("nothing is in {path} yet")),
        RegisterState::Missing(count) => Err(format!(
            "{path} is missing, and {count} erasures, revocations and decisions should be in it; the server enters them when it starts. If the \
             database was restored, first put back the newest register that you have, or erased people come back"
        )),
        RegisterState::NotConfigured(0) => Ok("none is configured; see [backup] in backend-sync config".to_owned()),
        RegisterState::NotConfigured(count) => Err(format!(
            "none is configured, and {count} erasures, revocations and decisions would come undone by a restore: name a file in [backup] of the \
             settings"
        )),
    })
}

/// Whether there is a recent backup, as far as `backend-sync backup` made it.
async fn backup(config: &Config, store: &Store, now: Timestamp) -> Result<Check, StoreError> {
    let (last, age) = (store.life().await?.backup_at, store.age(now).await?);
    let text =
        last.map_or_else(|| "none was made".to_owned(), |at| format!("the last one was made {}", at.to_rfc3339()));
    let is_missed = |missed: &Duration| last.map_or(age, |at| Some(now.since(at))).is_some_and(|age| age > *missed);
    Ok(match config.backup.missed().filter(is_missed) {
        None => Ok(text),
        Some(missed) => Err(format!(
            "{text}, none in {}: run backend-sync backup FILE, each night by a timer",
            duration_in_words(missed)
        )),
    })
}

async fn connect(url: &DatabaseUrl) -> Result<(Store, String, i64), crate::store::StoreError> {
    let store = Store::connect(url).await?;
    let (name, seconds) = store.server().await?;
    Ok((store, name, seconds))
}

/// Calls no API: `zoho check` does that.
fn zoho(config: &Config) -> Check {
    let Some(zoho) = &config.zoho else {
        return Ok("no destination is configured; backend-sync zoho connect helps".to_owned());
    };
    match read_mapping(zoho) {
        Ok(mapping) => {
            let kinds = counted(mapping.modules().count() as u64, "kind");
            Ok(format!("delivers {kinds} of records; backend-sync zoho check compares the mapping with Zoho"))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn disk(url: &DatabaseUrl) -> Check {
    let Some(space) = url.space() else { return Ok("the database is on another server".to_owned()) };
    let space = space.map_err(|error| error.to_string())?;
    let text = format!("{} MiB free in {}", space.free / (1024 * 1024), space.folder.display());
    if space.free >= LEAST_FREE_BYTES {
        Ok(text)
    } else {
        Err(format!("{text}; free some space: events are refused when it is full"))
    }
}
