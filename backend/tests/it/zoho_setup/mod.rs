//! The first day with an organisation that nobody has imagined: `zoho setup`, `zoho check`, `zoho check --deep`.

mod deep;
mod organisations;
mod permissions;

use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{ZohoSimulator, command};

/// An organisation, and the commands with a mapping.
struct Walk {
    zoho: ZohoSimulator,
    folder: TempDir,
    mapping: Option<String>,
}

impl Walk {
    /// An empty organisation with these settings of the simulator, where everything can be found at once.
    async fn begin(settings: Value) -> Self {
        let zoho = ZohoSimulator::start();
        zoho.change(json!({ "lag_seconds": 0 })).await;
        zoho.change(settings).await;
        Self { zoho, folder: tempfile::tempdir().unwrap(), mapping: None }
    }

    /// The default mapping with one text replaced by another.
    fn map(&mut self, from: &str, to: &str) {
        let text = self.mapping.clone().unwrap_or_else(|| backend_sync::zoho::mapping::Mapping::DEFAULT.to_owned());
        assert!(text.contains(from), "{from}");
        self.mapping = Some(text.replacen(from, to, 1));
    }

    /// Leaves the tables of enrolments and grades out.
    fn map_people_and_courses(&mut self) {
        let text = backend_sync::zoho::mapping::Mapping::DEFAULT;
        let end = text.find("\n[enrolment]\n").unwrap();
        self.mapping = Some(text[..end].to_owned());
    }

    /// Runs a command; returns whether it succeeded, and what it printed.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let database = format!("sqlite://{}", self.folder.path().join("none.sqlite").display());
        let mut command = command(&database);
        command.envs(self.zoho.settings()).arg("zoho").args(arguments);
        if let Some(mapping) = &self.mapping {
            let file = self.folder.path().join("mapping.toml");
            std::fs::write(&file, mapping).unwrap();
            command.env("BACKEND_SYNC_ZOHO__MAPPING", file);
        }
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.success(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
    }

    /// The settings calls that created something.
    async fn created(&self) -> usize {
        let wrote = |call: &&Value| {
            let path = call["path"].as_str().unwrap();
            call["method"] == "POST" && path.contains("/settings/") && call["status"].as_u64() < Some(300)
        };
        self.zoho.log().await.iter().filter(wrote).count()
    }

    /// The records of all modules.
    async fn records(&self) -> usize {
        let state = self.zoho.state().await;
        state["modules"].as_object().unwrap().values().map(|module| module.as_array().unwrap().len()).sum()
    }
}

/// Fields with these labels, one unique if so.
fn texts(labels: &[&str], unique: bool) -> Value {
    let field = |label: &&str| match unique {
        true => json!({ "field_label": label, "data_type": "text", "unique": { "case_sensitive": false } }),
        false => json!({ "field_label": label, "data_type": "text" }),
    };
    labels.iter().map(field).collect()
}
