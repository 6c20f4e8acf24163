//! A wrong clock for a while (libfaketime). Intervals are unaffected, as when somebody sets a clock.

use std::{fs, process::Command, time::Duration};

use backend_sync::clock::Clock;

use crate::{
    Failed,
    fault::{Fault, Group, Kind, Need, StepFuture},
    world::World,
};

pub(crate) fn kinds() -> Vec<Kind> {
    let kind = |name, make| Kind {
        name,
        group: Group::Clock,
        needs: &[Need::Faketime],
        alone: Duration::from_secs(8),
        combined: 3_000..=8_000,
        make,
    };
    vec![
        kind("clock an hour ahead", |_| wrong(HOUR, false)),
        kind("clock an hour behind", |_| wrong(-HOUR, false)),
        kind("clock ten years ahead", |_| wrong(TEN_YEARS, false)),
        kind("clock an hour ahead at start", |_| wrong(HOUR, true)),
        kind("clock an hour behind at start", |_| wrong(-HOUR, true)),
        kind("clock ten years ahead at start", |_| wrong(TEN_YEARS, true)),
    ]
}

const HOUR: i64 = 60 * 60;
const TEN_YEARS: i64 = 3_652 * 24 * HOUR;

struct Wrong {
    seconds: i64,
    restart: bool,
}

fn wrong(seconds: i64, restart: bool) -> Box<dyn Fault> {
    Box::new(Wrong { seconds, restart })
}

fn set(world: &World, seconds: i64) -> Result<(), Failed> {
    // Replaced in one step, because it is read all the time.
    let (file, new) = (world.file("clock"), world.file("clock.new"));
    fs::write(&new, format!("{seconds:+}"))?;
    Ok(fs::rename(new, file)?)
}

impl Fault for Wrong {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            set(world, self.seconds)?;
            if self.restart { world.server.kill().await } else { Ok(()) }
        })
    }

    fn end<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async { set(world, 0) })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async {
            // The server's own time is steady, and no answer shows its machine's clock. So ask another program in the
            // same environment, and check that the server has loaded the same library.
            let Some(pid) = world.server.pid() else { return Ok(None) };
            let loaded = fs::read_to_string(format!("/proc/{}/maps", pid.as_raw_nonzero())).unwrap_or_default();
            let mut environment = world.server.environment();
            if let Some(libraries) = environment.get_mut("LD_PRELOAD") {
                *libraries = libraries.split(':').filter(|library| library.contains("faketime")).collect();
            }
            let output = Command::new("/bin/date").arg("+%s").env_clear().envs(&environment).output()?;
            let seconds: i64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
            let difference = seconds - Clock::system().now().0 / 1_000;
            let is_wrong = (difference - self.seconds).abs() < HOUR / 2 && loaded.contains("libfaketime");
            Ok(is_wrong.then(|| format!("its machine's clock is {difference:+} s wrong")))
        })
    }
}
