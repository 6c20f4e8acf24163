//! Which settings are taken, and which are refused with what words.

use secrecy::ExposeSecret;

use super::{Config, LogFormat, Overrides};

fn load(overrides: &Overrides, environment: &[(&str, &str)]) -> Result<Config, String> {
    let variables = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(overrides, variables).map_err(|error| error.to_string())
}

#[test]
fn flags_beat_the_environment_and_that_beats_the_default() {
    let default = load(&Overrides::default(), &[]).unwrap();
    assert_eq!(default.listen.to_string(), "127.0.0.1:8001");
    let environment = [("BACKEND_SYNC_LISTEN", "127.0.0.1:1"), ("BACKEND_SYNC_LOG__FORMAT", "json"), ("OTHER", "x")];
    let config = load(&Overrides::default(), &environment).unwrap();
    assert_eq!((config.listen.port(), config.log.format), (1, LogFormat::Json));
    let flags = Overrides { listen: "127.0.0.1:2".parse().ok(), ..Default::default() };
    assert_eq!(load(&flags, &environment).unwrap().listen.port(), 2);
}

#[test]
fn an_unknown_key_is_named() {
    for (name, key) in [("BACKEND_SYNC_LISTN", "listn"), ("BACKEND_SYNC_LOG__COLOUR", "colour")] {
        let error = load(&Overrides::default(), &[(name, "x")]).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn a_wrong_database_url_is_not_repeated() {
    let environment = [("BACKEND_SYNC_DATABASE_URL", "mysql://ann:pa55@db/x")];
    let error = load(&Overrides::default(), &environment).unwrap_err();
    assert!(error.contains("database_url") && !error.contains("pa55"), "{error}");
}

#[test]
fn limits_are_checked() {
    let error = load(&Overrides::default(), &[("BACKEND_SYNC_INGEST__TRANSACTION_EVENTS", "0")]).unwrap_err();
    assert!(error.contains("ingest.transaction_events"), "{error}");
}

#[test]
fn traces_only_go_to_safe_addresses() {
    let tracing = |settings: &[(&'static str, &'static str)]| {
        load(&Overrides::default(), settings).map(|config| config.tracing.unwrap())
    };
    const ENDPOINT: &str = "BACKEND_SYNC_TRACING__OTLP_ENDPOINT";
    const KEY: (&str, &str) = ("BACKEND_SYNC_TRACING__HEADERS__X-KEY", "pa55");
    assert!(load(&Overrides::default(), &[]).unwrap().tracing.is_none());
    let plain = tracing(&[(ENDPOINT, "http://collector:4318/")]).unwrap();
    assert_eq!(plain.traces_url(), "http://collector:4318/v1/traces");
    assert_eq!((plain.service_name.as_str(), plain.sampling_ratio), ("backend-sync", 1.0));
    let safe = tracing(&[(ENDPOINT, "https://collector"), KEY]).unwrap();
    assert_eq!(safe.headers["x-key"].expose_secret(), "pa55");
    for (settings, key) in [
        (vec![(ENDPOINT, "collector:4318")], "tracing.otlp_endpoint"),
        (vec![(ENDPOINT, "http://collector:4318"), KEY], "tracing.otlp_endpoint"),
        (
            vec![(ENDPOINT, "http://localhost"), ("BACKEND_SYNC_TRACING__SAMPLING_RATIO", "1.5")],
            "tracing.sampling_ratio",
        ),
        (vec![(ENDPOINT, "http://localhost"), ("BACKEND_SYNC_TRACING__HEADERS__A B", "pa55")], "tracing.headers"),
    ] {
        let error = tracing(&settings).unwrap_err();
        assert!(error.contains(key) && !error.contains("pa55"), "{error}");
    }
}

#[test]
fn channels_are_set_by_the_environment() {
    let channels = [
        ("BACKEND_SYNC_ALERTS__WEBHOOKS__OPS__URL", "https://hooks.example.org/pa55"),
        ("BACKEND_SYNC_ALERTS__WEBHOOKS__OPS__FORMAT", "slack"),
        ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__HOST", "mail.example.org"),
        ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__FROM", "Sync <sync@example.org>"),
        ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__TO", "a@example.org, b@example.org"),
    ];
    let alerts = load(&Overrides::default(), &channels).unwrap().alerts;
    assert_eq!(alerts.email["admins"].to, ["a@example.org", "b@example.org"]);
    assert_eq!(alerts.email["admins"].tls.port(), 465);
    assert!(!format!("{alerts:?}").contains("pa55"));
    for (name, value, words) in [
        ("BACKEND_SYNC_ALERTS__WEBHOOKS__OPS__URL", "http://hooks.example.org/pa55", "https://"),
        ("BACKEND_SYNC_ALERTS__WEBHOOKS__OPS__SECRET", "pa55", "format is json"),
        ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__TO", "nobody", "addresses"),
        ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__PASSWORD", "pa55", "both"),
        ("BACKEND_SYNC_ALERTS__EMAIL__OPS__HOST", "mail.example.org", "from"),
        ("BACKEND_SYNC_ALERTS__INTERVAL_SECONDS", "0", "alerts.interval_seconds"),
    ] {
        let mut wrong = channels.to_vec();
        wrong.retain(|(other, _)| *other != name);
        wrong.push((name, value));
        let error = load(&Overrides::default(), &wrong).unwrap_err();
        assert!(error.contains(words) && !error.contains("pa55"), "{name}: {error}");
    }
}

#[test]
fn credentials_go_by_https_or_to_this_machine() {
    let zoho = |name: &'static str, value: &'static str| {
        let mut environment = vec![
            ("BACKEND_SYNC_ZOHO__CLIENT_ID", "id"),
            ("BACKEND_SYNC_ZOHO__CLIENT_SECRET", "pa55"),
            ("BACKEND_SYNC_ZOHO__REFRESH_TOKEN", "pa56"),
        ];
        environment.retain(|(other, _)| *other != name);
        environment.push((name, value));
        load(&Overrides::default(), &environment)
    };
    for good in ["https://accounts.zoho.eu", "http://127.0.0.1:4020", "http://localhost:4020", "http://[::1]:4020"] {
        zoho("BACKEND_SYNC_ZOHO__ACCOUNTS_URL", good).unwrap();
    }
    zoho("BACKEND_SYNC_ZOHO__API_URL", "").unwrap();
    for bad in ["http://accounts.zoho.eu", "accounts.zoho.eu", "ftp://localhost"] {
        let error = zoho("BACKEND_SYNC_ZOHO__API_URL", bad).unwrap_err();
        assert!(error.contains("zoho.api_url") && !error.contains("pa5"), "{error}");
    }
    let error = zoho("BACKEND_SYNC_ZOHO__REFRESH_TOKEN", " ").unwrap_err();
    assert!(error.contains("zoho.refresh_token"), "{error}");
}
