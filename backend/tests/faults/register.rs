//! The register cannot be written: erasures must be refused then, and everything else goes on.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Failed,
    case::LEAVER,
    fault::{Fault, Group, Kind, Need, StepFuture},
    support::api::http_client,
    world::World,
};

pub(crate) fn kinds() -> Vec<Kind> {
    let kind = |name, way| Kind {
        name,
        group: Group::Register,
        needs: &[Need::OwnRegister],
        alone: Duration::from_secs(12),
        combined: 1_000..=5_000,
        make: way,
    };
    vec![
        kind("no room for the register", |_| unwritable(Way::Full)),
        kind("read-only register", |_| unwritable(Way::ReadOnly)),
    ]
}

/// The site that the first start creates.
const SITE: &str = "moodle";

/// The time for what the server, or another fault, prevents for a moment.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes per page: within its last one, a file grows without room.
const PAGE: u64 = 4_096;

/// An entry that says nothing new. Spaces may follow.
const NOTHING_NEW: &str = r#"{"life":{"restored_at":null,"position":0,"incarnation":"0000000000000000"}}"#;

#[derive(Clone, Copy)]
enum Way {
    Full,
    ReadOnly,
}

struct Unwritable {
    way: Way,
    /// What was answered as if an erasure could begin.
    claimed: Option<String>,
}

fn unwritable(way: Way) -> Box<dyn Fault> {
    Box::new(Unwritable { way, claimed: None })
}

impl Fault for Unwritable {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            patiently(|| match self.way {
                Way::Full => fill(world),
                Way::ReadOnly => world.register_disk()?.set_read_only(true),
            })
            .await
        })
    }

    fn end<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            let text = fs::read_to_string(world.register())?;
            match self.way {
                Way::Full => world.register_disk()?.make_room()?,
                Way::ReadOnly => world.register_disk()?.set_read_only(false)?,
            }
            if let Some(claimed) = self.claimed.take() {
                return Err(format!("an erasure was accepted, and the register lacks it: {claimed}").into());
            }
            if text.lines().any(|line| line.contains("requested") && line.ends_with('}')) {
                return Err("the register has an erasure that was refused".into());
            }
            // How far the events have come is noted every few seconds.
            let grown = || -> Result<(), Failed> {
                let is_same = fs::read_to_string(world.register())?.trim_end() == text.trim_end();
                if is_same { Err("the register is not written again".into()) } else { Ok(()) }
            };
            patiently(grown).await
        })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async {
            let token = world.server.printed_word("bsa_").ok_or("there is no API token")?;
            let url = format!("http://{}/api/v1/erasures", world.server.address());
            let asked =
                http_client().post(url).bearer_auth(token).body(json!({"site": SITE, "user": LEAVER}).to_string());
            let answer = asked.header("Content-Type", "application/json").timeout(PATIENCE).send().await?;
            let (status, text) = (answer.status().as_u16(), answer.text().await?);
            if status == 200 {
                self.claimed = Some(text);
                return Ok(None);
            }
            let log = world.server.log();
            let named = log.iter().any(|line| line.contains("cannot write the register"));
            Ok((status == 503 && named)
                .then(|| "an erasure was answered 503, and the log names the register".to_owned()))
        })
    }
}

/// Leaves no room, not even in the register's last page.
fn fill(world: &World) -> Result<(), Failed> {
    let path = world.register();
    let length = fs::metadata(&path)?.len();
    // To the end of this page, or of the next one.
    let room = usize::try_from(PAGE - length % PAGE)?;
    let room = if room > NOTHING_NEW.len() { room } else { room + usize::try_from(PAGE)? };
    let entry = format!("{NOTHING_NEW:<width$}\n", width = room - 1);
    OpenOptions::new().append(true).open(&path)?.write_all(entry.as_bytes())?;
    world.register_disk()?.fill(0)?;
    match fs::metadata(&path)?.len() % PAGE {
        0 => Ok(()),
        _ => {
            world.register_disk()?.make_room()?;
            Err("the register has grown meanwhile".into())
        }
    }
}

/// Tries until it works.
async fn patiently(mut work: impl FnMut() -> Result<(), Failed>) -> Result<(), Failed> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match work() {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(50)).await,
            result => return result,
        }
    }
}
