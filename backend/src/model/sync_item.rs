//! The words of delivery: sync items, their states and lanes.

use super::{Id, Kind};

/// Identifies a record within our database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// Its kind. First, so that keys sort with referenced records in front.
    pub kind: Kind,
    /// The id of its site in our database.
    pub site_id: i64,
    /// Its id in Moodle.
    pub moodle_id: Id,
}

/// The state of a record's delivery to a destination. Each record is in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(poem_openapi::Enum, strum::Display, strum::EnumString, strum::IntoStaticStr)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownItemState, parse_err_fn = unknown_item_state)]
pub enum ItemState {
    /// Waiting for its turn.
    Pending,
    /// Being delivered now.
    InFlight,
    /// The destination is up to date.
    Synced,
    /// Waiting for another record.
    Parked,
    /// Failed for good; needs a person.
    Failed,
}

impl ItemState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Pending, Self::InFlight, Self::Synced, Self::Parked, Self::Failed];

    /// The word used in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The word is not a state of a sync item.
#[derive(Debug, thiserror::Error)]
#[error("a sync item is one of pending, in_flight, synced, parked and failed")]
pub struct UnknownItemState;

fn unknown_item_state(_: &str) -> UnknownItemState {
    UnknownItemState
}

/// Which records of a kind something concerns, by whether the destination has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[derive(poem_openapi::Enum, strum::Display, strum::EnumString, strum::IntoStaticStr)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownRecords, parse_err_fn = unknown_records)]
pub enum Records {
    /// All.
    All,
    /// Those that the destination does not have yet.
    New,
    /// Those that it has.
    Known,
}

impl Records {
    /// Whether a record is among them. `known`: whether the destination has it.
    pub fn includes(self, known: bool) -> bool {
        match self {
            Self::All => true,
            Self::New => !known,
            Self::Known => known,
        }
    }

    /// The word used in the database and the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The word does not say which records.
#[derive(Debug, thiserror::Error)]
#[error("records are all, new or known")]
pub struct UnknownRecords;

fn unknown_records(_: &str) -> UnknownRecords {
    UnknownRecords
}

/// The order in which items are delivered: first what others wait for, then results, last changes of profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Users that the destination does not have yet.
    NewUser,
    /// Courses that the destination does not have yet.
    NewCourse,
    /// Enrolments.
    Enrolment,
    /// Grades.
    Grade,
    /// Completions.
    Completion,
    /// Changes of courses.
    Course,
    /// Changes of users.
    User,
}

impl Lane {
    /// All lanes, the most urgent first.
    pub const ALL: [Self; 7] =
        [Self::NewUser, Self::NewCourse, Self::Enrolment, Self::Grade, Self::Completion, Self::Course, Self::User];

    /// The lane of a record. `known`: whether the destination already has it.
    pub fn of(kind: Kind, known: bool) -> Self {
        match (kind, known) {
            (Kind::User, false) => Self::NewUser,
            (Kind::Course, false) => Self::NewCourse,
            (Kind::Enrolment, _) => Self::Enrolment,
            (Kind::Grade, _) => Self::Grade,
            (Kind::Completion, _) => Self::Completion,
            (Kind::Course, true) => Self::Course,
            (Kind::User, true) => Self::User,
        }
    }

    /// The kind of all records in the lane.
    pub fn kind(self) -> Kind {
        match self {
            Self::NewUser | Self::User => Kind::User,
            Self::NewCourse | Self::Course => Kind::Course,
            Self::Enrolment => Kind::Enrolment,
            Self::Grade => Kind::Grade,
            Self::Completion => Kind::Completion,
        }
    }

    /// The lane's number in the database.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// The lane with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::{ItemState, Lane};
    use crate::model::Kind;

    #[test]
    fn lanes_and_states_survive_a_round_trip() {
        for lane in Lane::ALL {
            assert_eq!(Lane::from_number(lane.number()), Some(lane));
            let known = !matches!(lane, Lane::NewUser | Lane::NewCourse);
            assert_eq!(Lane::of(lane.kind(), known), lane);
        }
        for state in ItemState::ALL {
            assert_eq!(state.as_str().parse::<ItemState>().ok(), Some(state));
        }
        assert!(Lane::of(Kind::Grade, true) < Lane::of(Kind::User, true), "grades go before the changes of profiles");
    }
}
