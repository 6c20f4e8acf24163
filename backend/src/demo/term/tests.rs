use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Term, TermEvent, WEEKS};
use crate::model::{Change, EventType, Kind};

const END: i64 = 1_795_333_607;

fn term() -> Term {
    Term::generate(1, END)
}

/// A record, as an event names it.
fn record(event: &TermEvent) -> (Kind, i64) {
    let data = event.data.as_object().unwrap().clone();
    let change = Change::read(event.event_type, data).unwrap_or_else(|errors| panic!("{}: {errors:?}", event.data));
    (event.event_type.kind(), change.subject().0.0)
}

#[test]
fn the_same_seed_gives_the_same_term() {
    let (one, same, other) = (term(), term(), Term::generate(2, END));
    assert_eq!((&one.events, &one.imported), (&same.events, &same.imported));
    assert_ne!(one.events, other.events);
}

#[test]
fn the_backend_can_read_every_event() {
    let mut types: BTreeMap<EventType, usize> = BTreeMap::new();
    let mut ids = HashSet::new();
    for event in term().events {
        record(&event);
        *types.entry(event.event_type).or_default() += 1;
        assert!(ids.insert(event.id));
    }
    let expected = [
        EventType::UserCreated,
        EventType::UserUpdated,
        EventType::UserDeleted,
        EventType::UserEnrolled,
        EventType::EnrolmentUpdated,
        EventType::EnrolmentDeleted,
        EventType::CourseCreated,
        EventType::CourseUpdated,
        EventType::GradeUpdated,
        EventType::GradeDeleted,
        EventType::CourseCompleted,
    ];
    assert_eq!(types.keys().copied().collect::<Vec<_>>(), expected);
    assert_eq!((types[&EventType::UserCreated], types[&EventType::CourseCreated]), (248, 12));
    assert_eq!((types[&EventType::UserDeleted], types[&EventType::UserEnrolled]), (1, 240 * 4 + 18));
}

#[test]
fn the_term_lies_before_its_end_and_every_week_has_something() {
    let term = term();
    let weeks: HashSet<i64> = term.events.iter().map(|event| term.week(event)).collect();
    assert!((0..=WEEKS).all(|week| weeks.contains(&week)), "{weeks:?}");
    assert!(term.events.iter().all(|event| event.time <= event.sent && event.sent < END));
    assert!(term.events.is_sorted_by_key(|event| event.sent));
}

#[test]
fn versions_follow_what_happened_and_one_event_is_overtaken() {
    let mut newest: HashMap<(Kind, i64), i64> = HashMap::new();
    let mut overtaken = Vec::new();
    for event in term().events {
        let held = newest.entry(record(&event)).or_default();
        if event.sequence < *held {
            overtaken.push(event.event_type);
        }
        *held = event.sequence.max(*held);
    }
    assert_eq!(overtaken, [EventType::UserUpdated]);
}

#[test]
fn two_students_come_after_their_enrolments_and_first_grades() {
    let term = term();
    let (mut known, mut early) = (HashSet::new(), HashMap::<String, HashSet<EventType>>::new());
    for event in &term.events {
        let Some(user) = event.data["userid"].as_str() else { continue };
        if event.event_type == EventType::UserCreated {
            known.insert(user.to_owned());
        } else if !known.contains(user) {
            early.entry(user.to_owned()).or_default().insert(event.event_type);
        }
    }
    let both = HashSet::from([EventType::UserEnrolled, EventType::GradeUpdated]);
    assert_eq!(early.into_values().collect::<Vec<_>>(), [both.clone(), both]);
}

#[test]
fn a_deleted_grade_has_no_more_events() {
    let mut gone = HashSet::new();
    for event in term().events.iter().filter(|event| event.event_type.kind() == Kind::Grade) {
        let key = record(event);
        assert!(!gone.contains(&key), "{key:?}");
        if event.event_type == EventType::GradeDeleted {
            gone.insert(key);
        }
    }
    assert!(gone.len() > 20);
}

#[test]
fn one_imported_address_belongs_to_two_contacts() {
    let term = term();
    let mut addresses: HashMap<String, usize> = HashMap::new();
    for contact in &term.imported {
        *addresses.entry(contact["Email"].as_str().unwrap().to_lowercase()).or_default() += 1;
    }
    let email = |event: &&TermEvent| event.data["userid"].as_str() == Some(&term.ambiguous.0.to_string());
    let user = term.events.iter().find(email).unwrap();
    let twice: Vec<_> =
        addresses.iter().filter(|(_, count)| **count > 1).map(|(address, _)| address.as_str()).collect();
    assert_eq!(twice, [user.data["email"].as_str().unwrap()]);
    assert_eq!((addresses.len(), term.untouched), (60 + 3, 3 + 2));
    assert!(term.imported[term.ambiguous.1]["Email"].as_str().unwrap().eq_ignore_ascii_case(twice[0]));
}
