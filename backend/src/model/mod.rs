//! The vocabulary: events, records, versions and outcomes, and Moodle's number formats. Values only: derives say how they
//! are written in JSON and in a column, but nothing here speaks HTTP or SQL, or reads a clock.

mod adoption;
mod alert;
mod brake;
mod categories;
mod custom_fields;
mod digest;
mod erasure;
mod event;
mod field;
mod finding;
mod names;
mod number;
mod outcome;
mod parity;
mod record;
mod remark;
mod roles;
mod site;
mod state;
mod sync_item;
mod version;

pub use adoption::{AdoptionState, ReplacedValue};
pub use alert::{
    ACKNOWLEDGED_DAYS, ACKNOWLEDGED_DAYS_MAX, AlertCause, AlertChange, AlertPolicy, NotificationEvent, Observation,
    OpenAlert, Rule, SETTLED, Severity, Told, ToldCause, acknowledged_until, decide,
};
pub use brake::Effect;
pub use categories::{Categories, Category};
pub use custom_fields::CustomFields;
pub use digest::Digest;
pub use erasure::{ErasurePolicy, ErasureState};
pub use event::{Change, Event, EventType, UnknownEventType};
pub use field::{Field, FieldError, FieldErrorCode, Fields};
pub use finding::{FindingField, FindingSort, FindingState, FoundBy, ParityPolicy};
pub use names::Names;
pub use number::{Decimal, Id, Sequence, Time};
pub use outcome::Outcome;
pub use parity::{Differences, HeldRecord, sum_of};
pub use record::{Applied, Incoming, Record};
pub use remark::Remark;
pub use roles::{Role, Roles};
pub use site::{RecordId, SiteName};
pub use state::{Completion, Course, Enrolment, Grade, GradeItem, Kind, State, UnknownKind, User};
pub use sync_item::{ItemState, Lane, RecordKey, Records, UnknownItemState, UnknownRecords};
pub use version::Version;
