//! The clock is wrong for a while (libfaketime). Intervals go on as they are, as when somebody sets a clock.

use std::{fs, time::Duration};

use backend_sync::clock::Clock;

use crate::{
    Failed,
    fault::{Doing, Fault, Group, Kind, Need},
    support::api::http_client,
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
    // In one step: it is read all the time.
    let (file, new) = (world.file("clock"), world.file("clock.new"));
    fs::write(&new, format!("{seconds:+}"))?;
    Ok(fs::rename(new, file)?)
}

impl Fault for Wrong {
    fn begin<'a>(&'a mut self, world: &'a World) -> Doing<'a, ()> {
        Box::pin(async {
            set(world, self.seconds)?;
            if self.restart { world.server.kill().await } else { Ok(()) }
        })
    }

    fn end<'a>(&'a mut self, world: &'a World) -> Doing<'a, ()> {
        Box::pin(async { set(world, 0) })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let health = format!("http://{}{}", world.server.address(), backend_sync::probe::HEALTH);
            let Ok(answer) = http_client().get(health).timeout(Duration::from_secs(2)).send().await else {
                return Ok(None);
            };
            // A UUID of version 7 begins with the milliseconds. (The header Date is kept while the clock is behind.)
            let id = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
            let digits: String = id.chars().filter(|digit| *digit != '-').take(12).collect();
            let Ok(milliseconds) = i64::from_str_radix(&digits, 16) else { return Ok(None) };
            let difference = (milliseconds - Clock::system().now().0) / 1_000;
            let is_wrong = (difference - self.seconds).abs() < HOUR / 2;
            Ok(is_wrong.then(|| format!("its answers are {difference:+} s wrong")))
        })
    }
}
