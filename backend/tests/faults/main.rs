//! Until the runner is here.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program whose output is for people")]

mod postgres;

use std::{error::Error, process::ExitCode};

/// What may go wrong is shown to a person, and ends the run.
type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failed> {
    use postgres::{Fault, Parts, Programs, World};
    let programs = Programs::find()?;
    for parts in [Parts { standby: true, small_disks: false }, Parts { standby: false, small_disks: true }] {
        let begun = std::time::Instant::now();
        let mut world = World::start(&programs, parts).await?;
        println!("world in {:?}", begun.elapsed());
        world.as_product().execute("CREATE TABLE events (id bigint, data text)").await?;
        world
            .as_product()
            .execute("INSERT INTO events SELECT i, repeat('x', 1000) FROM generate_series(1, 1000) i")
            .await?;
        let url = world.url();
        for fault in Fault::ALL {
            if !fault.fits(&world) {
                println!("{fault}: skipped");
                continue;
            }
            let begun = std::time::Instant::now();
            let mut options = sea_orm::ConnectOptions::new(url.clone());
            options.max_connections(2).acquire_timeout(std::time::Duration::from_secs(2)).sqlx_logging(false);
            let product = sea_orm::Database::connect(options).await?;
            let insert = "INSERT INTO events SELECT i, repeat('x', 1000) FROM generate_series(1, 10000) i";
            use sea_orm::ConnectionTrait;
            product.execute_unprepared(insert).await?;
            let applied = fault.apply(&mut world).await?;
            let applied_in = begun.elapsed();
            let job = tokio::spawn(async move {
                tokio::time::timeout(std::time::Duration::from_secs(3), product.execute_unprepared(insert))
                    .await
                    .map(|r| r.map(drop).map_err(|e| e.to_string()))
            });
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            println!("{fault}: evidence {:?}", applied.evidence(&world).await);
            println!("   {applied_in:?} product: {:?}", job.await?);
            let begun = std::time::Instant::now();
            applied.lift(&mut world).await?;
            let lifted = begun.elapsed();
            let ok = world.as_product().execute(insert).await;
            println!("   lifted in {lifted:?} {ok:?} {:?}", begun.elapsed());
        }
    }
    Ok(())
}
