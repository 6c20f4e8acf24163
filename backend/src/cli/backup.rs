//! `backend-sync backup`

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    sync::{Arc, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

use indicatif::ProgressBar;

use super::{CliError, counted, open, print};
use crate::{
    clock::Clock,
    config::Config,
    store::backup::{BackupProgress, make_backup},
};

/// Between two looks at the progress on a terminal, and two lines of it elsewhere.
const LOOK: Duration = Duration::from_millis(250);
const LINE_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(super) struct BackupArguments {
    /// The file, which must not exist
    file: PathBuf,
}

pub(super) async fn run(config: Config, arguments: BackupArguments, clock: &Clock) -> Result<(), CliError> {
    let store = open(&config, clock).await?;
    let made = backup(&config, &arguments, clock).await;
    if let Ok(at) = made {
        store.save_backup_time(at).await?;
    }
    store.close().await;
    made.map(|_| ())
}

async fn backup(
    config: &Config,
    BackupArguments { file }: &BackupArguments,
    clock: &Clock,
) -> Result<crate::clock::Timestamp, CliError> {
    let (began, progress) = (Instant::now(), Arc::new(BackupProgress::default()));
    let shown = show(Arc::clone(&progress));
    let made = tokio::select! {
        made = make_backup(&config.database_url, file, clock.now(), &progress) => made.map_err(CliError::from),
        _ = tokio::signal::ctrl_c() => Err(CliError::Interrupted),
    };
    drop(shown);
    let manifest = made?;
    let bytes = std::fs::metadata(file).map(|found| found.len()).unwrap_or_default();
    print(format_args!(
        "{}: {} in {}, {} MiB, in {:.1} s.",
        file.display(),
        counted(manifest.rows(), "row"),
        counted(manifest.tables.len() as u64, "table"),
        bytes.div_ceil(1024 * 1024),
        began.elapsed().as_secs_f64()
    ))?;
    Ok(manifest.made())
}

/// Shows the progress until it is dropped. A thread, because the backup may keep this one busy.
fn show(progress: Arc<BackupProgress>) -> mpsc::Sender<()> {
    let (shown, end) = mpsc::channel();
    std::thread::spawn(move || {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(0));
        let mut printed = Instant::now();
        while let Err(mpsc::RecvTimeoutError::Timeout) = end.recv_timeout(LOOK) {
            let done = progress.done.load(Ordering::Relaxed);
            if let Some(bar) = &bar {
                bar.set_length(progress.total.load(Ordering::Relaxed).max(done));
                bar.set_position(done);
            } else if printed.elapsed() >= LINE_INTERVAL {
                printed = Instant::now();
                let _ = writeln!(std::io::stderr(), "backing up: {} MiB", done / (1024 * 1024));
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    });
    shown
}
