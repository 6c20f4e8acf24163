//! What a college sends: 5,000 people, 50,000 grades, 10,000 enrolments, as in `openapi/examples`.
//!
//! A request is built once. All that differs between two of them has a fixed width, so that the next one is the same
//! bytes with other digits. Which record an event is about is random but for its number: two runs send the same.

use serde_json::Value;

use crate::{Failed, http};

/// People of the college.
const USERS: u64 = 5_000;
/// Each of them has this many grades.
const USER_GRADES: u64 = 10;
/// Each of them has this many enrolments.
const USER_ENROLMENTS: u64 = 2;
/// Each of them belongs to one of so many groups, which share their grade items.
const GROUPS: u64 = 50;

/// The first ids. From there on, an id has a fixed width.
const FIRST_USER: u64 = 100_000;
const FIRST_GRADE: u64 = 1_000_000;
const FIRST_ITEM: u64 = 10_000;
const FIRST_ENROLMENT: u64 = 100_000;
const FIRST_COURSE: u64 = 1_000;
const FIRST_TIME: u64 = 1_700_000_000;
const FIRST_SEQUENCE: u64 = 1_000_000_000;

/// Events of one batch request.
pub(crate) const BATCH: u64 = 100;

/// What ten events are about: 60 % grades, 20 % users, 20 % enrolments.
const MIX: [Type; 10] = {
    use Type::{Enrolment as E, Grade as G, User as U};
    [G, G, U, G, E, G, G, U, G, E]
};

#[derive(Clone, Copy)]
enum Type {
    Grade,
    User,
    Enrolment,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Grade => "grade_updated",
            Self::User => "user_updated",
            Self::Enrolment => "enrolment_updated",
        }
    }
}

/// The first users, about each of whom a hundred of the first thousand events are, and none later: what a reader asks
/// about one person then costs the same work whatever the size of the database.
pub(crate) const PROBES: u64 = 10;
const PROBE_EVENTS: u64 = 100;

/// The format of a user's e-mail address.
pub(crate) fn email(user: u64) -> String {
    format!("student{user}@example.com")
}

/// The Moodle id of a probe.
pub(crate) fn probe(number: u64) -> u64 {
    FIRST_USER + number % PROBES
}

/// A number in a request that differs between events.
#[derive(Clone, Copy)]
enum Hole {
    User,
    Grade,
    Item,
    Course,
    Enrolment,
    Time,
    Sequence,
    Points,
    Uuid,
}

const HOLES: [(&str, Hole, usize); 9] = [
    ("%user%", Hole::User, 6),
    ("%grade%", Hole::Grade, 7),
    ("%item%", Hole::Item, 5),
    ("%course%", Hole::Course, 4),
    ("%enrolment%", Hole::Enrolment, 6),
    ("%time%", Hole::Time, 10),
    ("%sequence%", Hole::Sequence, 10),
    ("%points%", Hole::Points, 2),
    ("%uuid%", Hole::Uuid, 36),
];

/// The numbers of one event.
struct Numbers {
    event: u64,
    random: u64,
    user: u64,
    /// Which of the user's grades or enrolments.
    which: u64,
}

impl Numbers {
    fn new(event: u64) -> Self {
        let random = mix(event);
        if event < PROBES * PROBE_EVENTS {
            return Self { event, random, user: event / PROBE_EVENTS, which: event % PROBE_EVENTS };
        }
        let others = USERS - PROBES;
        Self { event, random, user: PROBES + random % others, which: random / others % USER_GRADES }
    }

    fn fill(&self, hole: Hole, place: &mut [u8]) {
        let number = match hole {
            Hole::User => FIRST_USER + self.user,
            Hole::Grade => FIRST_GRADE + self.user * PROBE_EVENTS + self.which,
            Hole::Item => FIRST_ITEM + self.user % GROUPS * PROBE_EVENTS + self.which,
            Hole::Course => FIRST_COURSE + self.user % GROUPS,
            Hole::Enrolment => FIRST_ENROLMENT + self.user * USER_ENROLMENTS + self.which % USER_ENROLMENTS,
            Hole::Time => FIRST_TIME + self.event,
            Hole::Sequence => FIRST_SEQUENCE + self.event,
            Hole::Points => 10 + self.random % 90,
            Hole::Uuid => {
                // Version 7, which ascends with time: what the contract asks of a sender that wants to be fast.
                let mut random = [0; 10];
                random[..8].copy_from_slice(&self.random.to_be_bytes());
                let uuid =
                    uuid::Builder::from_unix_timestamp_millis(FIRST_TIME * 1000 + self.event, &random).into_uuid();
                uuid.hyphenated().encode_lower(place);
                return;
            }
        };
        let mut rest = number;
        for digit in place.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

/// SplitMix64: as good as random, and the same in every run.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A request with holes.
#[derive(Clone)]
struct Template {
    bytes: Vec<u8>,
    /// Where each hole begins and ends, and the event of the request that it belongs to.
    holes: Vec<(std::ops::Range<usize>, Hole, u64)>,
}

impl Template {
    /// A request whose body is made of the texts of its events, each with marks for its holes, between two others.
    fn new(path: &str, token: &str, before: &str, events: &[String], after: &str) -> Self {
        let mut body = before.as_bytes().to_vec();
        let mut holes = Vec::new();
        for (index, event) in (0..).zip(events) {
            if index > 0 {
                body.push(b',');
            }
            let mut rest = event.as_str();
            while let Some((at, mark, hole, width)) = next_hole(rest) {
                let (text, after) = rest.split_at(at);
                body.extend_from_slice(text.as_bytes());
                holes.push((body.len()..body.len() + width, hole, index));
                body.resize(body.len() + width, b'0');
                rest = after.strip_prefix(mark).unwrap_or(after);
            }
            body.extend_from_slice(rest.as_bytes());
        }
        body.extend_from_slice(after.as_bytes());
        let mut bytes = http::post(path, token, body.len());
        for (range, ..) in &mut holes {
            *range = range.start + bytes.len()..range.end + bytes.len();
        }
        bytes.extend_from_slice(&body);
        Self { bytes, holes }
    }

    /// The request whose first event has the number `first`.
    fn fill(&mut self, first: u64) -> &[u8] {
        let mut numbers = Numbers::new(first);
        for (range, hole, index) in &self.holes {
            if numbers.event != first + index {
                numbers = Numbers::new(first + index);
            }
            if let Some(place) = self.bytes.get_mut(range.clone()) {
                numbers.fill(*hole, place);
            }
        }
        &self.bytes
    }
}

fn next_hole(text: &str) -> Option<(usize, &'static str, Hole, usize)> {
    let found = HOLES.iter().filter_map(|(mark, hole, width)| Some((text.find(mark)?, *mark, *hole, *width)));
    found.min_by_key(|(at, ..)| *at)
}

/// Makes the requests of one client. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Requests {
    templates: Vec<Template>,
    events: u64,
}

impl Requests {
    /// Single events, as the original plugin sends them: three grades, one user.
    pub(crate) fn single(token: &str) -> Result<Self, Failed> {
        let template = |event_type: Type, example| {
            let event = with_holes(example)?.to_string();
            let path = format!("/api/v1/events/moodle/{}", event_type.name());
            Ok::<_, Failed>(Template::new(&path, token, "", &[event], ""))
        };
        let grade = template(Type::Grade, include_str!("../../../openapi/examples/grade_updated.json"))?;
        let user = template(Type::User, include_str!("../../../openapi/examples/user_updated.json"))?;
        Ok(Self { templates: vec![grade.clone(), grade.clone(), user, grade], events: 1 })
    }

    /// Batches, as the plugin of this repository sends them.
    pub(crate) fn batch(token: &str) -> Result<Self, Failed> {
        let examples: Value = serde_json::from_str(include_str!("../../../openapi/examples/batch.json"))?;
        let examples =
            examples.get("events").and_then(Value::as_array).ok_or("the example of a batch has no events")?;
        let event = |event_type: Type| {
            let name = event_type.name();
            let example = examples.iter().find(|event| event.get("type").and_then(Value::as_str) == Some(name));
            let data = example.and_then(|event| event.get("data")).ok_or("an example is missing")?;
            let data = with_holes(&data.to_string())?;
            let envelope = format!(r#"{{"id":"%uuid%","type":"{name}","time":"%time%","sequence":%sequence%,"data":"#);
            Ok::<_, Failed>(format!("{envelope}{data}}}"))
        };
        let count = usize::try_from(BATCH)?;
        let events = MIX.into_iter().cycle().take(count).map(event).collect::<Result<Vec<_>, _>>()?;
        let template = Template::new("/api/v1/events/moodle/batch", token, r#"{"events":["#, &events, "]}");
        Ok(Self { templates: vec![template], events: BATCH })
    }

    /// Events of one request.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// The request whose first event has the number `first`.
    pub(crate) fn fill(&mut self, first: u64) -> &[u8] {
        let count = self.templates.len() as u64;
        let index = first / self.events % count;
        match self.templates.get_mut(index as usize) {
            Some(template) => template.fill(first),
            None => &[],
        }
    }
}

/// An example with marks in place of what differs between events.
fn with_holes(example: &str) -> Result<Value, Failed> {
    let mut data: Value = serde_json::from_str(example)?;
    for (field, mark) in [
        ("userid", "%user%"),
        ("username", "student%user%"),
        ("email", "student%user%@example.com"),
        ("idnumber", "S-%user%"),
        ("gradeid", "%grade%"),
        ("itemid", "%item%"),
        ("iteminstance", "%item%"),
        ("itemname", "Essay %item%"),
        ("finalgrade", "%points%.50000"),
        ("courseid", "%course%"),
        ("enrollmentid", "%enrolment%"),
        ("timemodified", "%time%"),
    ] {
        if let Some(value) = data.get_mut(field) {
            *value = Value::from(mark);
        }
    }
    Ok(data)
}
