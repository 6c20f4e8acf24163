//! What the command line says of ordinary mistakes, word by word: what is wrong, and what to do.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use super::{stderr, stdout};
use crate::support::{Answer, Database, Server};

on_both_databases!(a_token_in_the_place_of_another_kind_is_told);

/// A mistake, and what is said. `FOLDER` stands for the folder that it is made in, `PORT` for a port where nobody listens, and
/// `TAKEN` for one where somebody does.
struct Mistake {
    what: &'static str,
    /// The file of settings, if there is one.
    settings: Option<&'static str>,
    arguments: &'static [&'static str],
    code: i32,
    said: &'static str,
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        what: "a wrong port of PostgreSQL",
        settings: Some("database_url = 'postgres://ann:pa55word@127.0.0.1:PORT/sync'"),
        arguments: &["sync", "status"],
        code: 1,
        said: "error: cannot reach postgres://127.0.0.1:PORT/sync: the database is not available: Connection Error: error communicating with \
               database: Connection refused (os error 111). Is it running, and can it be reached from this machine?\n",
    },
    Mistake {
        what: "settings that cannot be read",
        settings: None,
        arguments: &["--config", "FOLDER", "sync", "status"],
        code: 1,
        said: "error: cannot read the settings in FOLDER: is a directory. Name the right file with --config\n",
    },
    Mistake {
        what: "settings that are not there",
        settings: None,
        arguments: &["--config", "FOLDER/missing.toml", "sync", "status"],
        code: 1,
        said: "error: cannot read the settings in FOLDER/missing.toml: No such file or directory (os error 2). Name the right file with \
               --config\n",
    },
    Mistake {
        what: "a database that is there and cannot be opened",
        settings: None,
        arguments: &["--database-url", "sqlite://FOLDER/folder", "serve"],
        code: 1,
        said: "error: the database is not available: cannot open FOLDER/folder: is a directory\n",
    },
    Mistake {
        what: "no database",
        settings: None,
        arguments: &["sync", "status"],
        code: 1,
        said: "error: the database is not available: there is no database at FOLDER/data/backend-sync.sqlite. backend-sync serve or \
               backend-sync migrate creates one; if there is one elsewhere, name it with --database-url, or its settings with --config\n",
    },
    Mistake {
        what: "a word that is none of the choices",
        settings: Some("[log]\nformat = 'jsn'"),
        arguments: &["serve"],
        code: 1,
        said: "error: the configuration is wrong: unknown variant `jsn`, expected `text` or `json` for key `log.format`\n",
    },
    Mistake {
        what: "an address without a port",
        settings: Some("listen = 'localhost'"),
        arguments: &["serve"],
        code: 1,
        said: "error: the configuration is wrong: localhost is no address with a port, as in 127.0.0.1:8001 or localhost:8001 (invalid \
               socket address) for key `listen`\n",
    },
    Mistake {
        what: "a port in use",
        settings: None,
        arguments: &["serve", "--listen", "localhost:TAKEN"],
        code: 1,
        said: "error: cannot listen on 127.0.0.1:TAKEN: Address already in use (os error 98). Another program listens there, perhaps \
               Backend Sync itself: end it, or choose another address with --listen\n",
    },
    Mistake {
        what: "a key of the top below a section",
        settings: Some("[zoho]\nclient_id = 'x'\nclient_secret = 'x'\nrefresh_token = 'x'\nlisten = '127.0.0.1:1'"),
        arguments: &["serve"],
        code: 1,
        said: "error: the configuration is wrong: unknown field `listen`, expected one of `accounts_url`, `api_url`, `client_id`, \
               `client_secret`, `refresh_token`, `mapping`, `reserve_credits`, `watch_minutes`, `proof_hour` for key `zoho`. Put listen at the top of the file, before \
               the first [section]\n",
    },
    Mistake {
        what: "a key that is not known",
        settings: Some("[ingest]\nqueue = 5"),
        arguments: &["serve"],
        code: 1,
        said: "error: the configuration is wrong: unknown field `queue`, expected `transaction_events` or `queue_kib` for key `ingest`\n",
    },
    Mistake {
        what: "a server that does not run",
        settings: Some("listen = '127.0.0.1:PORT'"),
        arguments: &["health"],
        code: 1,
        said: "error: the server at 127.0.0.1:PORT is not ready: Connection refused (os error 111). Is it running?\n",
    },
];

fn run_in(folder: &Path, settings: Option<&str>, arguments: &[String]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backend-sync"));
    command.env_clear().current_dir(folder).args(arguments);
    if let Some(text) = settings {
        let file = folder.join("settings.toml");
        std::fs::write(&file, text).unwrap();
        command.env("BACKEND_SYNC_CONFIG", file);
    } else {
        // The file of an installed package is not meant.
        command.env("BACKEND_SYNC_CONFIG", "");
    }
    command.output().unwrap()
}

#[test]
fn each_mistake_is_told_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = (taken.local_addr().unwrap().port().to_string(), taken);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    for Mistake { what, settings, arguments, code, said } in MISTAKES {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let path = folder.path().display().to_string();
        let filled = |text: &str| text.replace("FOLDER", &path).replace("PORT", &free).replace("TAKEN", &taken.0);
        let arguments: Vec<String> = arguments.iter().map(|argument| filled(argument)).collect();
        let begin = Instant::now();
        let output = run_in(folder.path(), settings.map(filled).as_deref(), &arguments);
        assert_eq!((output.status.code(), stdout(&output)), (Some(*code), String::new()), "{what}");
        assert_eq!(stderr(&output), filled(said), "{what}");
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{what}: nothing is waited for longer than a database that starts"
        );
        let left = std::fs::read_dir(folder.path()).unwrap().count() - 1 - usize::from(settings.is_some());
        assert_eq!(left, 0, "{what}: nothing is created");
    }
}

async fn a_token_in_the_place_of_another_kind_is_told(database: Database) {
    let server = Server::start(&database).await;
    let detail = |answer: &Answer| answer.problem(401, "unauthorized")["detail"].clone();
    let reader = server.reader_with(server.site_token()).get("/api/v1/users").await;
    assert_eq!(
        detail(&reader),
        "This is a site token (bss_…), with which Moodle sends. An API token (bsa_…) belongs here: backend-sync token add NAME makes one."
    );
    let site = server.site_with(server.api_token()).get("/api/v1/events/moodle/handshake").await;
    assert_eq!(
        detail(&site),
        "This is an API token (bsa_…). A site token (bss_…) belongs here: backend-sync site rotate-token NAME makes one."
    );
    server.stop().await;
}
