//! Servers whose certificates come from an authority of one's own are reached where the configuration names that, and
//! only there: by mail, webhook, traces and Zoho. The database: `scripts/postgres-kinds`.

use std::{net::SocketAddr, process::Output};

use tempfile::TempDir;

use crate::{
    delivery::until,
    support::{
        Database, Server, ZohoSimulator,
        server::run_with,
        smtp::SmtpServer,
        tls::{Authority, TlsFront},
        webhook::Webhook,
    },
    tracing::export::{collector, received},
};

type Settings = Vec<(&'static str, String)>;

/// Settings without and with the authority's file.
fn without_and_with(settings: &Settings, authority: &Authority, folder: &TempDir) -> [Settings; 2] {
    let file = authority.file(folder).display().to_string();
    let trusting = [("BACKEND_SYNC_CERTIFICATE_AUTHORITIES", file)];
    [settings.clone(), settings.iter().cloned().chain(trusting).collect()]
}

fn on_this_machine(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

#[tokio::test]
async fn mail_and_webhooks() {
    let (database, folder, authority) = (Database::sqlite(), TempDir::new().unwrap(), Authority::new("Ours"));
    let (smtp, webhook) = (SmtpServer::start(), Webhook::start());
    let mail = TlsFront::start(&authority, on_this_machine(smtp.port));
    let hook = TlsFront::start(&authority, on_this_machine(webhook.port));
    let settings = vec![
        ("BACKEND_SYNC_ALERTS__WEBHOOKS__OPS__URL", hook.url()),
        ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__HOST", "localhost".to_owned()),
        ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__PORT", mail.port.to_string()),
        ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__TLS", "required".to_owned()),
        ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__FROM", "sync@example.org".to_owned()),
        ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__TO", "admin@example.org".to_owned()),
    ];
    let [without, with] = without_and_with(&settings, &authority, &folder);
    for channel in ["ops", "admins"] {
        let refused = run_with(&database, &without, &["alerts", "test", "--channel", channel]);
        assert!(!refused.status.success() && said(&refused).contains("UnknownIssuer"), "{}", said(&refused));
    }
    assert_eq!((smtp.mails().len(), webhook.posted().len()), (0, 0));
    let sent = run_with(&database, &with, &["alerts", "test"]);
    assert!(sent.status.success(), "{}", said(&sent));
    assert_eq!((smtp.mails().len(), webhook.posted().len()), (1, 1));
}

#[tokio::test]
async fn zoho() {
    let (database, folder, authority) = (Database::sqlite(), TempDir::new().unwrap(), Authority::new("Ours"));
    let simulator = ZohoSimulator::start_set_up().await;
    let front = TlsFront::start(&authority, simulator.address());
    let mut settings = simulator.settings();
    settings.retain(|(name, _)| !name.ends_with("ACCOUNTS_URL"));
    settings.push(("BACKEND_SYNC_ZOHO__ACCOUNTS_URL", front.url()));
    settings.push(("BACKEND_SYNC_ZOHO__API_URL", front.url()));
    let [without, with] = without_and_with(&settings, &authority, &folder);
    let refused = run_with(&database, &without, &["zoho", "check"]);
    assert!(!refused.status.success() && said(&refused).contains("UnknownIssuer"), "{}", said(&refused));
    let checked = run_with(&database, &with, &["zoho", "check"]);
    assert!(checked.status.success(), "{}", said(&checked));
}

#[tokio::test]
async fn traces() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new("Ours"));
    let (address, batches) = collector().await;
    let front = TlsFront::start(&authority, address);
    let settings =
        vec![("BACKEND_SYNC_TRACING__OTLP_ENDPOINT", front.url()), ("OTEL_BSP_SCHEDULE_DELAY", "10".to_owned())];
    let [without, with] = without_and_with(&settings, &authority, &folder);

    let database = Database::sqlite();
    let server = Server::start_with(&database, &without).await;
    server.reader().read("/api/v1/users").await;
    let fails = |message: &serde_json::Value| {
        message["message"].as_str().is_some_and(|text| text.starts_with("exporting traces fails"))
    };
    let told = server.logged(fails).await;
    assert!(told.to_string().contains("UnknownIssuer"), "{told}");
    server.stop().await;
    assert_eq!(received(&batches), 0);

    let database = Database::sqlite();
    let server = Server::start_with(&database, &with).await;
    server.reader().read("/api/v1/users").await;
    until("a trace arrives", async || (received(&batches) > 0).then_some(())).await;
    server.stop().await;
}
