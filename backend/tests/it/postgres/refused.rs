//! What cannot work is refused with the reason and what to do, and what is short is shared.

use std::process::Output;

use crate::{
    copy_database::{fill, not_copied},
    support::{Database, Server, command, events::user_event, random::new_uuid, wait::until},
};

on_postgres!(empty: an_encoding_that_cannot_hold_every_name_is_refused);
on_postgres!(
    the_reason_why_there_is_no_connection_is_said,
    readiness_says_why_there_is_no_connection,
    few_connections_are_shared,
    another_machine_must_speak_tls,
    a_password_is_never_shown,
);

/// The database by way of another login, or host.
fn url_with(database: &Database, login: &str, host: &str) -> String {
    let (_, place) = database.url.rsplit_once('@').unwrap();
    let (address, name) = place.split_once('/').unwrap();
    let (_, port) = address.rsplit_once(':').unwrap();
    format!("postgres://{login}@{host}:{port}/{name}")
}

fn login(database: &Database) -> &str {
    let (_, rest) = database.url.split_once("://").unwrap();
    rest.rsplit_once('@').unwrap().0
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn serve(url: &str) -> Output {
    command(url).args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap()
}

async fn an_encoding_that_cannot_hold_every_name_is_refused(database: Database) {
    let source = Database::sqlite();
    fill(&source, 1).await;
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("it_{}", new_uuid().simple());
        database.execute(&format!("CREATE DATABASE {name} ENCODING {encoding} TEMPLATE template0 LOCALE 'C'")).await;
        let mut other = Database::sqlite();
        other.url = format!("{}/{name}", database.url.rsplit_once('/').unwrap().0);
        let doctor = said(&command(&other.url).arg("doctor").output().unwrap());
        for said in [said(&serve(&other.url)), doctor, not_copied(&source, &other)] {
            let line = format!("createdb -E UTF8 -T template0 --locale=C.UTF-8 -O postgres {name}");
            assert!(said.contains(encoding) && said.contains(&line), "{said}");
        }
        database.execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
}

async fn the_reason_why_there_is_no_connection_is_said(database: Database) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("postgres://ann:secret99@{free}/sync");
    let wrong = url_with(&database, "postgres:secret99", "127.0.0.1");
    let role = Role::make(&database, "CONNECTION LIMIT 0").await;
    let limited = role.url(&database);
    let reasons = [
        (&nobody, "Connection refused"),
        (&wrong, "password authentication failed"),
        (&limited, "too many connections for role"),
    ];
    for (url, reason) in reasons {
        for output in [serve(url), command(url).arg("doctor").output().unwrap()] {
            let said = said(&output);
            assert!(said.contains(reason) && !said.contains("secret99"), "{said}");
        }
    }
    role.drop(&database).await;
}

/// The same while it runs.
async fn readiness_says_why_there_is_no_connection(mut database: Database) {
    let role = Role::make(&database, "").await;
    let limited = role.url(&database);
    let direct = std::mem::replace(&mut database.url, limited);
    let server = Server::start(&database).await;
    database.url = direct;
    for (change, reason) in
        [("PASSWORD 'other'", "password"), ("PASSWORD 'x' CONNECTION LIMIT 0", "no connection left")]
    {
        database.execute(&format!("ALTER ROLE {} {change}", role.0)).await;
        role.end_sessions(&database).await;
        until(&format!("readiness says {reason}"), async || {
            let ready = server.anonymous().get("/api/v1/health/ready").await;
            (ready.status == 503 && ready.text.contains(reason)).then_some(())
        })
        .await;
    }
    drop(server);
    role.drop(&database).await;
}

/// Where a server wants ten connections, it may have three.
async fn few_connections_are_shared(mut database: Database) {
    let role = Role::make(&database, "CONNECTION LIMIT 3").await;
    let limited = role.url(&database);
    let direct = std::mem::replace(&mut database.url, limited);
    let server = Server::start(&database).await;
    server.site().apply(&[user_event(1, "ann")]).await;
    let readers = (0..12).map(|_| {
        let reader = server.reader();
        tokio::spawn(async move {
            for _ in 0..10 {
                let answer = reader.get("/api/v1/users").await;
                assert_eq!(answer.status, 200, "{}", answer.text);
            }
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
    server.stop().await;
    database.url = direct;
    role.drop(&database).await;
}

/// A user who may do what a server does, and is no superuser, whom no limit concerns.
struct Role(String);

impl Role {
    async fn make(database: &Database, options: &str) -> Self {
        let role = format!("it_{}", new_uuid().simple());
        let grant = ["TABLES", "SEQUENCES"].map(|all| format!("GRANT ALL ON ALL {all} IN SCHEMA public TO {role}"));
        let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'x' {options}; {}", grant.join("; "));
        database.execute(&create).await;
        Self(role)
    }

    fn url(&self, database: &Database) -> String {
        url_with(database, &format!("{}:x", self.0), "127.0.0.1")
    }

    async fn end_sessions(&self, database: &Database) {
        let role = &self.0;
        database
            .execute(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"))
            .await;
    }

    async fn drop(self, database: &Database) {
        self.end_sessions(database).await;
        database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}", role = self.0)).await;
    }
}

/// 0.0.0.0 leads to this machine, but is none of its names.
async fn another_machine_must_speak_tls(database: Database) {
    let url = url_with(&database, login(&database), "0.0.0.0");
    let refused = said(&serve(&url));
    assert!(refused.contains("does not support TLS"), "{refused}");
    let doctor = said(&command(&url).arg("doctor").output().unwrap());
    assert!(doctor.contains("sslmode=require") && doctor.contains("certificate_authorities"), "{doctor}");
    let plain = command(&format!("{url}?sslmode=disable")).arg("migrate").output().unwrap();
    assert!(plain.status.success(), "{}", said(&plain));
}

async fn a_password_is_never_shown(database: Database) {
    // It ends the host for whoever reads it so, and what follows is the database's name.
    for password in ["5432/secret99", "5432#secret99", "secret99?x"] {
        for arguments in [["doctor"], ["migrate"]] {
            let said = said(
                &command(&url_with(&database, &format!("ann:{password}"), "db")).args(arguments).output().unwrap(),
            );
            assert!(!said.contains("secret99") && said.contains("%2F"), "{said}");
        }
    }
}
