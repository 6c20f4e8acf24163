//! The simulator as a program.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use chrono::Utc;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use zoho_simulator::Simulator;

/// A Zoho CRM in memory, for tests, demonstrations and trying things out.
///
/// It starts as an empty organisation with Zoho's standard modules, and forgets everything when it stops. The accounts
/// server and the API have the same address: set `accounts_url` and `api_url` of `[zoho]` to it. The refresh token is
/// `simulator`, with any client id and secret; the grant code of a self client is `simulator` too.
///
/// To inspect it: GET /__sim/state (all records), GET /__sim/log (all calls). To inject faults: POST /__sim/faults. To
/// act as an administrator: POST /__sim/fields/{module}/{field}, POST /__sim/profiles, and POST /__sim/policies, which
/// refuse records. To act as a person: POST /__sim/records/{module}, /__sim/merge, /__sim/convert and /__sim/hold. To
/// move its clock: POST /__sim/clock. To start over: POST /__sim/reset.
#[derive(Parser)]
#[command(name = "zoho-simulator", version)]
struct Arguments {
    /// The address to listen on; with port 0, the system chooses a port.
    #[arg(long, default_value = "127.0.0.1:4020")]
    listen: SocketAddr,
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
async fn main() -> Result<(), io::Error> {
    let arguments = Arguments::parse();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let simulator = Simulator::new(Utc::now).bind(arguments.listen).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "zoho-simulator listening on http://{}", simulator.address())?;
    stdout.flush()?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    simulator.run_until(stop).await
}
