//! What comparing with Zoho costs: the look at what others changed, and the comparison of all records.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    Failed,
    database::{Databases, Kind},
    delivery::{Sender, begin_site, grade, rest},
    report::{Table, grouped, number},
    server::{self, SITE, Server},
    simulator::Simulator,
};

/// What people did in Zoho, and the sort of finding that it is.
const DEEDS: [(&str, &str); 5] = [
    ("a contact edited", "changed"),
    ("a contact deleted", "deleted"),
    ("two contacts merged", ""),
    ("a contact made twice", "doubled"),
    ("a key that no record has", "surplus"),
];

pub(crate) async fn run(databases: &Databases, kind: Kind, quick: bool) -> Result<(), Failed> {
    let records = if quick { 10_000 } else { 100_000 };
    let database = databases.create(kind).await?;
    let simulator = Simulator::start(None)?;
    let mut settings = simulator.settings();
    settings.push(("BACKEND_SYNC_ZOHO__WATCH_MINUTES", "0".to_owned()));
    settings.push(("BACKEND_SYNC_ZOHO__PROOF_HOUR", "24".to_owned()));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    server::run(&database, &settings, &["zoho", "setup", "--yes"])?;
    let server = Server::start(&database, &settings).await?;
    let mut sender = Sender::open(&server).await?;
    begin_site(&mut sender).await?;
    sender.send((0..records).map(grade)).await?;
    rest(&database).await?;
    database.settle().await?;
    simulator.control("clock", json!({"advance_seconds": 600})).await?;
    let mut table = Table::new(["", "s", "calls", "API credits", "found"]);
    let mut measure = async |what: &str, arguments: &[&str]| -> Result<Vec<String>, Failed> {
        let mut calls = simulator.connect().await?;
        let before: u64 = simulator.used().await?;
        calls.since_last().await?;
        let started = Instant::now();
        server::output(&database, &settings, arguments)?;
        let seconds = started.elapsed().as_secs_f64();
        let (made, credits) = (calls.since_last().await?.len(), simulator.used().await? - before);
        rest(&database).await?;
        let found = sorts(&server::output(&database, &settings, &["parity", "findings", "--json"])?)?;
        let row = [what.to_owned(), number(seconds), made.to_string(), credits.to_string(), found.join(", ")];
        table.row(row);
        Ok(found)
    };
    measure("first look", &["parity", "watch"]).await?;
    measure("all records, nothing differs", &["parity", "prove", "--yes"]).await?;
    act(&simulator).await?;
    let by_watch = measure("look after five changes", &["parity", "watch"]).await?;
    measure("look again", &["parity", "watch"]).await?;
    let by_proof = measure("all records", &["parity", "prove", "--yes"]).await?;
    server.stop().await?;
    databases.drop(database).await?;
    println!("### Parity with Zoho\n");
    println!(
        "{} grades and 1,000 people in Zoho. Then {}: the merge is followed, and the others are findings.\n",
        grouped(records),
        DEEDS.map(|(what, _)| what).join(", ")
    );
    table.print();
    let mut expected: Vec<String> =
        DEEDS.iter().map(|(_, sort)| (*sort).to_owned()).filter(|sort| !sort.is_empty()).collect();
    expected.sort_unstable();
    if by_watch != expected || by_proof != expected {
        return Err(format!("found {by_watch:?} and {by_proof:?} instead of {expected:?}").into());
    }
    Ok(())
}

/// The sorts of findings, one JSON document a line.
fn sorts(lines: &str) -> Result<Vec<String>, Failed> {
    let sort = |line: &str| -> Result<String, Failed> {
        let finding: Value = serde_json::from_str(line)?;
        Ok(finding.get("sort").and_then(Value::as_str).unwrap_or_default().to_owned())
    };
    let mut sorts = lines.lines().map(sort).collect::<Result<Vec<_>, _>>()?;
    sorts.sort_unstable();
    Ok(sorts)
}

/// Does in Zoho what people do.
async fn act(simulator: &Simulator) -> Result<(), Failed> {
    let contacts = simulator.contacts().await?;
    let id = |place: usize| contacts.get(place).cloned().ok_or("too few contacts");
    simulator.control("records/Contacts", json!({"id": id(0)?, "Mailing_City": "Hull"})).await?;
    simulator.control("records/Contacts", json!({"id": id(1)?, "$delete": true})).await?;
    simulator.control("merge", json!({"module": "Contacts", "survivor": id(2)?, "merged": [id(3)?]})).await?;
    let twin = json!({"Last_Name": "Twin", "Email": "student900@example.com"});
    simulator.control("records/Contacts", twin).await?;
    let nobody = json!({"Last_Name": "Nobody", "Moodle_User_Key": format!("{SITE}:999999")});
    simulator.control("records/Contacts", nobody).await?;
    simulator.control("clock", json!({"advance_seconds": 600})).await
}
