//! What the demo prints.

use super::{Folder, SITE};
use crate::{
    cli::{CliError, print},
    clock::judge::duration_in_words,
    demo::{
        term::WEEKS,
        verdict::{Group, Snapshot},
    },
    limits,
    model::ItemState,
};

/// The width of printed text, in characters.
const WIDTH: usize = 110;

/// What the introduction prints.
pub(super) struct Places<'a> {
    pub(super) folder: &'a Folder,
    /// A link that signs in to the console once.
    pub(super) console: &'a str,
    pub(super) backend: &'a str,
    pub(super) zoho: &'a str,
    pub(super) token: &'a str,
    /// The Moodle id of the student whose timeline is worth reading.
    pub(super) student: i64,
    pub(super) events: usize,
    pub(super) pace: u16,
}

/// How this program was called, so that printed commands can be copied.
pub(super) fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "backend-sync".to_owned())
}

pub(super) fn places(places: &Places<'_>) -> Result<(), CliError> {
    let Places { folder, console, backend, zoho, token, student, events, pace } = places;
    let (program, config) = (program(), folder.config());
    let (path, log, config) = (folder.path().display(), folder.log(), config.display());
    let lifetime = if folder.is_temporary() { "removed at the end; --keep FOLDER keeps it" } else { "kept" };
    let pace = if *pace == 0 { "as fast as possible".to_owned() } else { format!("in about {pace} seconds") };
    let time = duration_in_words(limits::SIGN_IN_LINK);
    print(format_args!(
        "The demo: the events of a college's Moodle, this backend, and a simulated Zoho CRM, in one process.\n\n\
         Open the console: this link signs you in once, within {time}; later, sign in with the API token.\n\
         \x20 console          {console}\n\n\
         \x20 Swagger UI       {backend}/docs   (press Authorize and paste the API token)\n\
         \x20 API token        {token}\n\
         \x20 Zoho's records   {zoho}/__sim/state\n\
         \x20 calls to Zoho    {zoho}/__sim/log\n\
         \x20 log              {}\n\
         \x20 folder           {path}   ({lifetime})\n\n\
         In another terminal:\n\
         \x20 {program} sync status --config {config}\n\
         \x20 {program} sync audit --config {config}\n\
         \x20 curl -H 'Authorization: Bearer {token}' {backend}/api/v1/users/{SITE}:{student}/timeline\n\n\
         A term of {WEEKS} weeks, {events} events, {pace}. Ctrl-C ends it at any time.\n",
        log.display(),
    ))
}

pub(super) fn heading() -> Result<(), CliError> {
    print(format_args!("{:<13}{:>8}  |{:^34}|  {}", "", "Moodle", "records in the backend", "records in Zoho CRM"))?;
    print(format_args!(
        "{:<13}{:>8}  |{:>8}{:>9}{:>8}{:>8} |{:>10}{:>9}{:>12}{:>8}",
        "", "events", "synced", "pending", "parked", "failed", "contacts", "courses", "enrolments", "grades"
    ))
}

pub(super) fn row(label: &str, events: Option<usize>, snapshot: &Snapshot) -> Result<(), CliError> {
    let items = |state| snapshot.items(state);
    print(format_args!(
        "{label:<13}{:>8}  |{:>8}{:>9}{:>8}{:>8} |{:>10}{:>9}{:>12}{:>8}",
        events.map(|events| events.to_string()).unwrap_or_default(),
        items(ItemState::Synced),
        snapshot.waiting(),
        items(ItemState::Parked),
        items(ItemState::Failed),
        snapshot.records("Contacts"),
        snapshot.records("Products"),
        snapshot.records("Moodle_Enrolments"),
        snapshot.records("Moodle_Grades"),
    ))
}

/// An explanation below a row.
pub(super) fn note(text: &str) -> Result<(), CliError> {
    indented(text, 4)
}

/// The records of one state, grouped by reason.
pub(super) fn groups(heading: &str, groups: &[&Group]) -> Result<(), CliError> {
    if groups.is_empty() {
        return Ok(());
    }
    print(format_args!("\n{heading}"))?;
    for group in groups {
        let Group { kind, reason, count, .. } = group;
        let plural = if *count == 1 { "" } else { "s" };
        indented(&format!("{count} {kind}{plural}: {reason}"), 2)?;
    }
    Ok(())
}

/// A wrapped text, indented by this many spaces.
pub(super) fn indented(text: &str, by: usize) -> Result<(), CliError> {
    wrap(text, WIDTH - by).iter().try_for_each(|line| print(format_args!("{:by$}{line}", "")))
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("to be, or not", 6), ["to be,", "or not"]);
        assert_eq!(wrap("Quetzalcoatlus is long", 6), ["Quetzalcoatlus", "is", "long"]);
        assert!(wrap("", 6).is_empty());
    }
}
