//! `backend-sync demo`, as a first-time user runs it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{self, api::http_client};

/// The most time that a demo may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// A demo on free ports, and its output.
struct Demo {
    child: Child,
    printed: PathBuf,
    /// The parent of its temporary folder.
    folder: TempDir,
}

fn command(folder: &Path) -> Command {
    // A demo ignores settings, which may be those of a real server.
    let mut command = support::command("postgres://nobody@127.0.0.1:1/nothing");
    command.args(["demo", "--listen", "127.0.0.1:0", "--simulator-listen", "127.0.0.1:0", "--pace", "0"]);
    command.env("TMPDIR", folder);
    command
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let printed = folder.path().join("printed");
        let output = File::create(&printed).unwrap();
        let mut command = command(folder.path());
        let child = command.args(arguments).stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Self { child, printed, folder }
    }

    fn printed(&self) -> String {
        std::fs::read_to_string(&self.printed).unwrap()
    }

    /// Waits for this text in its output.
    async fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.printed().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}\n{}", self.printed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for its end; returns the exit code, and what is left in its folder besides its output.
    async fn end(mut self) -> (Option<i32>, String, usize) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "{}", self.printed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        (status.code(), self.printed(), std::fs::read_dir(self.folder.path()).unwrap().count() - 1)
    }

    /// The rest of a line such as `Zoho's records   http://...`.
    fn place(&self, name: &str) -> String {
        let printed = self.printed();
        let line = printed.lines().find(|line| line.trim_start().starts_with(name)).expect("the address is printed");
        line.trim_start()[name.len()..].split_whitespace().next().unwrap().to_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The numbers in the line that starts with these words.
fn numbers(printed: &str, words: &str) -> Vec<u64> {
    let line = printed.lines().find(|line| line.starts_with(words)).unwrap_or_else(|| panic!("no {words}: {printed}"));
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[tokio::test]
async fn a_term_ends_as_planned() {
    let (code, printed, left) = Demo::start(&["--exit"]).end().await;
    assert_eq!((code, left), (Some(0), 0), "{printed}");
    // Synced, pending, parked, failed; then Zoho's records: 247 people of Moodle, and five contacts who are not.
    let rest = numbers(&printed, "at rest");
    let [synced, pending, parked, failed, contacts, courses, enrolments, grades] = rest[..] else {
        panic!("{printed}")
    };
    assert_eq!((pending, failed, contacts, courses), (0, 1, 252, 12), "{printed}");
    // Everything of the failed student waits; of the others' 978 enrolments and 4,564 grades, Zoho has all but those
    // that were deleted before they were sent.
    assert_eq!((synced, parked), (6_456, 24), "{printed}");
    assert!((900..=974).contains(&enrolments) && (4_300..=4_544).contains(&grades), "{printed}");
    assert!(printed.contains("6481 records = 6456 synced + 0 pending + 24 parked + 1 failed"), "{printed}");
    assert!(printed.contains("59 of them were adopted"), "{printed}");
    assert!(printed.contains("2 contacts in Zoho have this e-mail address"), "{printed}");
    assert!(printed.contains("which failed and needs a person"), "{printed}");
    assert!(printed.contains("Removed "), "{printed}");
}

#[tokio::test]
async fn what_is_repaired_goes_on_and_ctrl_c_leaves_nothing_behind() {
    let mut demo = Demo::start(&[]);
    demo.wait_for("Ctrl-C ends them.").await;
    let printed = demo.printed();
    let first = printed.split("http://").nth(1).unwrap();
    assert!(first.contains("/sign-in#bsl_") && demo.place("console").contains("/sign-in#bsl_"), "{printed}");
    assert!(!std::fs::read_to_string(demo.place("log")).unwrap().contains("bsl_"), "the link is in no log");
    let http = http_client();
    let zoho = demo.place("Zoho's records");
    let state: Value = serde_json::from_str(&http.get(&zoho).send().await.unwrap().text().await.unwrap()).unwrap();
    let contacts = state["modules"]["Contacts"].as_array().unwrap();
    let keys = contacts
        .iter()
        .filter_map(|contact| contact["Moodle_User_Key"].as_str())
        .collect::<std::collections::HashSet<_>>();
    assert_eq!((contacts.len(), keys.len()), (252, 247));

    // As the demo suggests: delete the second contact, and retry the student.
    let printed = demo.printed();
    let body = printed.split("curl -d '").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let deletion = http.post(zoho.replace("state", "records/Contacts")).body(body).send().await.unwrap();
    assert!(deletion.status().is_success());
    let retry = printed.lines().find(|line| line.trim_end().ends_with("/retry")).unwrap().trim().to_owned();
    let answer = http.post(retry).bearer_auth(demo.place("API token")).send().await.unwrap();
    assert!(answer.status().is_success());
    // All are synced, nothing is pending, parked or failed, and there is one contact less.
    demo.wait_for("|    6481        0       0       0 |       251").await;

    kill_process(Pid::from_child(&demo.child), Signal::INT).unwrap();
    let (code, printed, left) = demo.end().await;
    assert_eq!((code, left), (Some(0), 0), "{printed}");
    assert!(printed.contains("Stopping.") && printed.contains("Removed "), "{printed}");
}

#[tokio::test]
async fn the_demo_refuses_what_it_would_not_use() {
    let keep = TempDir::new().unwrap();
    std::fs::write(keep.path().join("backend-sync.sqlite"), "mine").unwrap();
    let folder = keep.path().to_str().unwrap();
    for (arguments, word) in
        [(["--keep", folder], "already exists"), (["--database-url", "sqlite://x"], "its own configuration")]
    {
        let (code, printed, _) = Demo::start(&arguments).end().await;
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains(word), "{printed}");
    }
    assert_eq!(std::fs::read_to_string(keep.path().join("backend-sync.sqlite")).unwrap(), "mine");
}
