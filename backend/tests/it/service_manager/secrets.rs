//! The tokens of the first start: in a file that only its owner can read, and never in a log that is kept.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
    process::Child,
};

use serde_json::json;

use crate::support::{
    Database, command,
    server::{Tokens, run_json},
    wait::until,
};

on_both_databases!(the_first_tokens_go_into_a_file, the_journal_gets_no_tokens);

/// A server with its output in one file, as in the journal.
struct Service {
    child: Child,
    journal: PathBuf,
}

impl Service {
    fn start(database: &Database, arguments: &[&str]) -> Self {
        let journal = database.file("journal");
        let file = File::create(&journal).unwrap();
        let (device, inode) = (file.metadata().unwrap().dev(), file.metadata().unwrap().ino());
        let child = command(&database.url)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("JOURNAL_STREAM", format!("{device}:{inode}"))
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, journal }
    }

    /// Its output until it serves.
    async fn started(&mut self) -> String {
        until("it serves", async || {
            let text = fs::read_to_string(&self.journal).unwrap();
            let serves = text.contains("serving");
            let ended = self.child.try_wait().unwrap();
            assert!(serves || ended.is_none(), "{ended:?}\n{text}");
            serves.then_some(text)
        })
        .await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

async fn the_first_tokens_go_into_a_file(database: Database) {
    let path = database.file("first-tokens");
    let option = ["--first-tokens", path.to_str().unwrap()];
    let journal = Service::start(&database, &option).started().await;
    assert!(!journal.contains("bss_") && !journal.contains("bsa_"), "{journal}");
    assert!(journal.contains(option[1]), "the journal says where they are: {journal}");
    let tokens = Tokens::find(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_ne!(tokens.site, tokens.api);
    assert_eq!(run_json(&database, &["token", "list", "--json"])[0]["name"], "first");

    fs::remove_file(&path).unwrap();
    let files = || fs::read_dir(database.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let before: Vec<_> = files().filter(|name| !name.to_string_lossy().contains("sqlite")).collect();
    Service::start(&database, &option).started().await;
    let after: Vec<_> = files().filter(|name| !name.to_string_lossy().contains("sqlite")).collect();
    assert_eq!(before, after, "the second start creates no tokens and leaves no files");
}

async fn the_journal_gets_no_tokens(database: Database) {
    let journal = Service::start(&database, &[]).started().await;
    assert!(!journal.contains("bss_") && !journal.contains("bsa_"), "{journal}");
    assert!(journal.contains("backend-sync site add"), "the journal says what to do: {journal}");
    assert_eq!(run_json(&database, &["token", "list", "--json"]), json!([]), "no unknown tokens are created");
    assert_eq!(run_json(&database, &["site", "list", "--json"]), json!([]));

    run_json(&database, &["site", "add", "college", "--json"]);
    let journal = Service::start(&database, &[]).started().await;
    assert!(!journal.contains("there is no site yet"), "{journal}");
}
