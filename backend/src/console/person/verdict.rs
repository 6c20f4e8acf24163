//! "Why is this not in Zoho?", answered in one sentence.

use crate::{
    console::{lines::display, words::number},
    model::{ItemState, Kind},
    store::{DestinationSummary, ItemRow},
    views::HoldView,
};

/// The answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PersonVerdict {
    pub(super) text: String,
    /// The CSS class.
    pub(super) class: &'static str,
}

/// The subject of a sentence with its verb, as in `2 of 3 records wait`.
fn of(count: usize, total: usize, one: &str, several: &str) -> String {
    let counted = |count: usize| number(count);
    let records = if total == 1 { "record" } else { "records" };
    let verb = if count == 1 { one } else { several };
    match count == total {
        true if total == 1 => format!("The only record {verb}"),
        true => format!("All {} records {verb}", counted(total)),
        false => format!("{} of {} {records} {verb}", counted(count), counted(total)),
    }
}

/// The verdict on a person's records at a destination; each row comes with the reason why it is not there, if it is not.
pub(super) fn verdict(destination: &DestinationSummary, rows: &[(&ItemRow, Option<String>)]) -> PersonVerdict {
    let name = display(&destination.name);
    let total = rows.len();
    let count = |state: ItemState| rows.iter().filter(|(row, _)| row.state == state).count();
    let (failed, parked, synced) = (count(ItemState::Failed), count(ItemState::Parked), count(ItemState::Synced));
    let waiting = total - failed - synced;
    if total == 0 {
        return PersonVerdict { text: format!("There is nothing to deliver to {name}."), class: "" };
    }
    if let Some((row, _)) = first(rows, |row| row.state == ItemState::Failed) {
        let reason = row.reason.as_deref().unwrap_or("no reason is known.");
        let text = match row.key.kind {
            Kind::User if waiting > 0 => format!(
                "The profile could not be delivered to {name} and needs you, and {} for it: {reason}",
                of(waiting, total, "waits", "wait")
            ),
            Kind::User => format!("The profile could not be delivered to {name} and needs you: {reason}"),
            _ => format!(
                "{} not be delivered to {name} and {} you: {reason}",
                of(failed, total, "could", "could"),
                if failed == 1 { "needs" } else { "need" }
            ),
        };
        return PersonVerdict { text, class: "bad" };
    }
    if waiting > 0 {
        return PersonVerdict { text: why_waiting(destination, rows, &name, waiting, parked), class: "warn" };
    }
    let is_left_out = |row: &ItemRow| row.state == ItemState::Synced && row.remote_id.is_none();
    let left_out = rows.iter().filter(|(row, _)| is_left_out(row)).count();
    match first(rows, is_left_out) {
        None => PersonVerdict { text: format!("{} in {name}.", of(total, total, "is", "are")), class: "good" },
        Some((row, why)) if row.key.kind == Kind::User => {
            let why = why.as_deref().unwrap_or("the mapping delivers nothing of it.");
            PersonVerdict { text: format!("Not in {name}, on purpose: {why}"), class: "" }
        }
        Some(_) => {
            let left_out = of(left_out, total, "is left out", "are left out");
            PersonVerdict {
                text: format!("Everything that belongs in {name} is there; {left_out} on purpose."),
                class: "good",
            }
        }
    }
}

fn why_waiting(
    destination: &DestinationSummary,
    rows: &[(&ItemRow, Option<String>)],
    name: &str,
    waiting: usize,
    parked: usize,
) -> String {
    let total = rows.len();
    if let Some(pause) = &destination.pause {
        let wait = of(waiting, total, "waits", "wait");
        return format!("{wait} because delivery to {name} is paused: {}", pause.reason);
    }
    if let Some(hold) = rows.iter().find_map(|(row, _)| destination.hold_of(row)) {
        let wait = of(waiting, total, "waits", "wait");
        return format!("{wait}: no {} are delivered to {name}. {}", HoldView::records(hold), hold.reason);
    }
    let again = first(rows, |row| row.state == ItemState::Pending && row.attempts > 0);
    if let Some((_, Some(why))) = again {
        return format!("{} for {name}. {why}", of(waiting, total, "waits", "wait"));
    }
    if let Some(slow) = destination.slow_reason.as_ref().filter(|_| parked < waiting) {
        return format!("{} for {name}, which is slow: {slow}", of(waiting, total, "waits", "wait"));
    }
    let parked_row = first(rows, |row| row.state == ItemState::Parked);
    if let Some((_, Some(why))) = parked_row.filter(|_| parked == waiting) {
        return format!("{} for another record. {why}", of(waiting, total, "waits", "wait"));
    }
    format!("{} on the way to {name}; there is nothing to do.", of(waiting, total, "is", "are"))
}

/// The first matching row, the profile before all others.
fn first<'r>(
    rows: &'r [(&'r ItemRow, Option<String>)],
    is: impl Fn(&ItemRow) -> bool,
) -> Option<&'r (&'r ItemRow, Option<String>)> {
    rows.iter().filter(|(row, _)| is(row)).min_by_key(|(row, _)| row.key.kind != Kind::User)
}

#[cfg(test)]
mod tests {
    use super::verdict;
    use crate::{
        clock::Timestamp,
        model::{Id, ItemState, Kind, RecordKey},
        store::{DestinationSummary, ItemRow, OPERATOR, Pause},
    };

    fn row(kind: Kind, state: ItemState) -> ItemRow {
        ItemRow {
            key: RecordKey { kind, site_id: 1, moodle_id: Id(1) },
            state,
            revision: 1,
            changed_at: Timestamp(0),
            due_at: Timestamp(0),
            attempts: 0,
            remote_id: (state == ItemState::Synced).then(|| "42".to_owned()),
            linked: false,
            digest: None,
            synced_at: None,
            waits_for: None,
            code: None,
            reason: Some("Phone: too long.".to_owned()),
            remarks: Vec::new(),
            remote_modified_at: None,
        }
    }

    fn zoho() -> DestinationSummary {
        DestinationSummary {
            name: crate::zoho::NAME.to_owned(),
            pause: None,
            holds: Vec::new(),
            slow_reason: None,
            done_at: None,
            credits: None,
            audit: None,
        }
    }

    fn judge(destination: &DestinationSummary, rows: &[ItemRow]) -> (String, &'static str) {
        let rows: Vec<_> = rows.iter().map(|row| (row, Some("It waits for user college:3.".to_owned()))).collect();
        let verdict = verdict(destination, &rows);
        (verdict.text, verdict.class)
    }

    #[test]
    fn what_needs_a_person_is_said_first() {
        let there = row(Kind::User, ItemState::Synced);
        assert_eq!(judge(&zoho(), &[there.clone(), there.clone()]), ("All 2 records are in Zoho.".to_owned(), "good"));
        assert_eq!(judge(&zoho(), std::slice::from_ref(&there)).0, "The only record is in Zoho.");
        let failed = row(Kind::Grade, ItemState::Failed);
        let parked = row(Kind::Grade, ItemState::Parked);
        assert_eq!(
            judge(&zoho(), &[there.clone(), parked.clone(), failed]),
            ("1 of 3 records could not be delivered to Zoho and needs you: Phone: too long.".to_owned(), "bad")
        );
        let profile = row(Kind::User, ItemState::Failed);
        assert_eq!(
            judge(&zoho(), &[parked, profile]).0,
            "The profile could not be delivered to Zoho and needs you, and 1 of 2 records waits for it: Phone: too long."
        );
    }

    #[test]
    fn the_cause_of_a_wait_is_named() {
        let (there, parked) = (row(Kind::User, ItemState::Synced), row(Kind::Grade, ItemState::Parked));
        let pending = row(Kind::Grade, ItemState::Pending);
        let rows = [there.clone(), parked.clone()];
        assert_eq!(judge(&zoho(), &rows).0, "1 of 2 records waits for another record. It waits for user college:3.");
        assert!(judge(&zoho(), &[there.clone(), pending.clone()]).0.contains("1 of 2 records is on the way to Zoho"));
        let again = ItemRow { attempts: 1, ..pending.clone() };
        assert!(judge(&zoho(), &[there.clone(), again]).0.starts_with("1 of 2 records waits for Zoho. "));
        let slow = DestinationSummary { slow_reason: Some("500 credits are left.".to_owned()), ..zoho() };
        assert!(judge(&slow, &[there, pending]).0.contains("slow: 500 credits"));
        let (cause, reason) = (OPERATOR.to_owned(), "Moving house.".to_owned());
        let pause = Some(Pause { cause, reason, since: Timestamp(0), check_at: None });
        let paused = DestinationSummary { pause, ..slow };
        assert!(judge(&paused, &rows).0.ends_with("because delivery to Zoho is paused: Moving house."));
    }

    #[test]
    fn what_is_left_out_is_so_on_purpose() {
        let left_out = |kind| ItemRow { remote_id: None, ..row(kind, ItemState::Synced) };
        let there = row(Kind::User, ItemState::Synced);
        assert_eq!(
            judge(&zoho(), &[there, left_out(Kind::Grade)]).0,
            "Everything that belongs in Zoho is there; 1 of 2 records is left out on purpose."
        );
        assert!(judge(&zoho(), &[left_out(Kind::User)]).0.starts_with("Not in Zoho, on purpose: "));
        assert_eq!(judge(&zoho(), &[]).0, "There is nothing to deliver to Zoho.");
    }
}
